# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += src/model/liblf_model.a
src_model_liblf_model_a_SOURCES = include/lambdafit/model.h \
	src/model/record.c src/model/status.def \
	src/model/runtime.c src/model/runtimes.def \
	src/model/function.c src/model/function.h src/model/function_check.c src/model/function_name.c \
	src/model/limits.c src/model/limits.def \
	src/model/rules.c src/model/rules.def src/model/rules.h src/model/words.c src/model/trend.c src/model/pattern.c src/model/no_number.c \
	src/model/billing.c src/model/lines.c src/model/bodies.c \
	src/model/errors.c src/model/errors.def src/model/url_event.c src/model/url_answer.c
# The fleet and what stands on it.
src_model_liblf_model_a_SOURCES += src/model/async.c src/model/destination.c src/model/fleet.c src/model/fleet.h src/model/fleet_check.c \
	src/model/fleet_life.c src/model/fleet_place.c src/model/fleet_queue.c

# The generated parts of docs/limits.md: `make limits-doc` writes them, a test compares.
noinst_PROGRAMS += src/model/gen_limits_doc
src_model_gen_limits_doc_SOURCES = src/model/gen_limits_doc.c src/model/limits_doc.c src/model/limits_doc.h
src_model_gen_limits_doc_LDADD = src/model/liblf_model.a src/profile/liblf_profile.a src/base/liblf_os.a src/base/liblf_base.a \
	$(CJSON_LIBS) $(NETTLE_LIBS) -lm
EXTRA_DIST += docs/limits.md
.PHONY: limits-doc
limits-doc: src/model/gen_limits_doc
	LAMBDAFIT_DATADIR='$(abs_top_srcdir)' src/model/gen_limits_doc '$(abs_top_srcdir)/docs/limits.md'
