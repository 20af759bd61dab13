# SPDX-License-Identifier: Apache-2.0
# A fuzz target: tests/fuzz/fuzz_NAME.c (one function, see fuzz.h), inputs in tests/fuzz/corpus/NAME/, and three lines here.
# `make check` replays the inputs and seeded mutations; `make fuzz FUZZ=NAME FUZZ_SECONDS=60` runs libFuzzer.
FUZZ_TESTS = tests/fuzz/fuzz_http
FUZZ_LIBS = src/base/liblf_os.a src/base/liblf_base.a $(CJSON_LIBS) $(NETTLE_LIBS)
FUZZ_MAIN = tests/fuzz/replay.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_http_SOURCES = tests/fuzz/fuzz_http.c $(FUZZ_MAIN)
tests_fuzz_fuzz_http_LDADD = $(HTTP_LIBS) $(FUZZ_LIBS)
# For libFuzzer the rooms are compiled again with its instrumentation; space-separated folders of sources, and libraries.
FUZZ_ROOMS_http = src/http
FUZZ_LINK_http = $(LLHTTP_CFLAGS) $(LLHTTP_LIBS) $(UV_LIBS)

FUZZ_TESTS += tests/fuzz/fuzz_template
tests_fuzz_fuzz_template_SOURCES = tests/fuzz/fuzz_template.c $(FUZZ_MAIN)
tests_fuzz_fuzz_template_LDADD = src/template/liblf_template.a src/yaml/liblf_yaml.a src/model/liblf_model.a src/profile/liblf_profile.a $(FUZZ_LIBS) $(FYAML_LIBS) -lm
FUZZ_ROOMS_template = src/template src/yaml
FUZZ_LINK_template = src/model/liblf_model.a src/profile/liblf_profile.a $(FYAML_LIBS) -lm

FUZZ_TESTS += tests/fuzz/fuzz_package
tests_fuzz_fuzz_package_SOURCES = tests/fuzz/fuzz_package.c $(FUZZ_MAIN)
tests_fuzz_fuzz_package_LDADD = src/package/liblf_package.a src/model/liblf_model.a src/profile/liblf_profile.a $(FUZZ_LIBS) $(ZIP_LIBS) $(ZLIB_LIBS) $(ZSTD_LIBS)
FUZZ_ROOMS_package = src/package
FUZZ_LINK_package = src/model/liblf_model.a src/profile/liblf_profile.a $(ZIP_LIBS) $(ZLIB_LIBS) $(ZSTD_LIBS)

FUZZ_TESTS += tests/fuzz/fuzz_image
tests_fuzz_fuzz_image_SOURCES = tests/fuzz/fuzz_image.c $(FUZZ_MAIN)
tests_fuzz_fuzz_image_LDADD = src/package/liblf_package.a src/model/liblf_model.a src/profile/liblf_profile.a $(FUZZ_LIBS) $(ZIP_LIBS) $(ZLIB_LIBS) $(ZSTD_LIBS)
FUZZ_ROOMS_image = src/package
FUZZ_LINK_image = src/model/liblf_model.a src/profile/liblf_profile.a $(ZIP_LIBS) $(ZLIB_LIBS) $(ZSTD_LIBS)

FUZZ_TESTS += tests/fuzz/fuzz_eventstream
tests_fuzz_fuzz_eventstream_SOURCES = tests/fuzz/fuzz_eventstream.c $(FUZZ_MAIN)
tests_fuzz_fuzz_eventstream_LDADD = $(FUZZ_LIBS)
FUZZ_ROOMS_eventstream =
FUZZ_LINK_eventstream =

FUZZ_TESTS += tests/fuzz/fuzz_fleet
tests_fuzz_fuzz_fleet_SOURCES = tests/fuzz/fuzz_fleet.c $(FUZZ_MAIN)
tests_fuzz_fuzz_fleet_LDADD = src/model/liblf_model.a src/profile/liblf_profile.a $(FUZZ_LIBS) -lm
FUZZ_ROOMS_fleet = src/model
FUZZ_LINK_fleet = src/profile/liblf_profile.a -lm

FUZZ_TESTS += tests/fuzz/fuzz_profile
tests_fuzz_fuzz_profile_SOURCES = tests/fuzz/fuzz_profile.c $(FUZZ_MAIN)
tests_fuzz_fuzz_profile_LDADD = src/profile/liblf_profile.a $(FUZZ_LIBS) -lm
FUZZ_ROOMS_profile = src/profile
FUZZ_LINK_profile = -lm

FUZZ_TESTS += tests/fuzz/fuzz_log
tests_fuzz_fuzz_log_SOURCES = tests/fuzz/fuzz_log.c $(FUZZ_MAIN)
tests_fuzz_fuzz_log_LDADD = src/store/liblf_store.a src/model/liblf_model.a src/profile/liblf_profile.a $(FUZZ_LIBS) $(SQLITE_LIBS) -lm -lpthread
FUZZ_ROOMS_log = src/store
FUZZ_LINK_log = src/model/liblf_model.a src/profile/liblf_profile.a $(SQLITE_LIBS) -lm -lpthread

FUZZ_TESTS += tests/fuzz/fuzz_simulate
tests_fuzz_fuzz_simulate_SOURCES = tests/fuzz/fuzz_simulate.c $(FUZZ_MAIN)
tests_fuzz_fuzz_simulate_LDADD = src/simulate/liblf_simulate.a src/model/liblf_model.a src/profile/liblf_profile.a $(FUZZ_LIBS) -lm
FUZZ_ROOMS_simulate = src/simulate
FUZZ_LINK_simulate = src/model/liblf_model.a src/profile/liblf_profile.a -lm

FUZZ_TESTS += tests/fuzz/fuzz_check
tests_fuzz_fuzz_check_SOURCES = tests/fuzz/fuzz_check.c $(FUZZ_MAIN)
tests_fuzz_fuzz_check_LDADD = src/check/file/liblf_check_file.a src/yaml/liblf_yaml.a src/check/liblf_check.a src/model/liblf_model.a src/profile/liblf_profile.a $(FUZZ_LIBS) \
	$(FYAML_LIBS) -lm
FUZZ_ROOMS_check = src/check src/check/file src/yaml
FUZZ_LINK_check = src/model/liblf_model.a src/profile/liblf_profile.a $(FYAML_LIBS) -lm

check_PROGRAMS += $(FUZZ_TESTS)
TESTS += $(FUZZ_TESTS)
EXTRA_DIST += tests/fuzz/corpus

FUZZ = http
FUZZ_SECONDS = 30
# -timeout: a pattern of a check file may take its 20,000,000 steps, which are 10 s with all instruments on a busy machine.
FUZZ_CC = clang
.PHONY: fuzz
fuzz:
	@echo 'int LLVMFuzzerTestOneInput (const char *p, unsigned long n); int LLVMFuzzerTestOneInput (const char *p, unsigned long n) { return p && n > 1u << 30; }' > fuzz-probe.c; \
	$(FUZZ_CC) -fsanitize=fuzzer fuzz-probe.c -o fuzz-probe 2>/dev/null; rc=$$?; rm -f fuzz-probe fuzz-probe.c; \
	test $$rc = 0 || { echo 'make fuzz: $(FUZZ_CC) cannot link libFuzzer. Debian 12: apt-get install clang libclang-rt-14-dev' >&2; exit 1; }
	@mkdir -p fuzz/$(FUZZ)
	$(FUZZ_CC) -g -O1 -w -std=gnu11 -DLLHTTP_STRICT_MODE=1 -fsanitize=fuzzer,address,undefined $(AM_CPPFLAGS) $(CJSON_CFLAGS) $(UV_CFLAGS) $(NETTLE_CFLAGS) \
	  $(top_srcdir)/tests/fuzz/fuzz_$(FUZZ).c $(filter-out %/gen_limits_doc.c,$(foreach d,src/base $(FUZZ_ROOMS_$(FUZZ)),$(wildcard $(top_srcdir)/$(d)/*.c))) \
	  -o fuzz/fuzz_$(FUZZ) $(FUZZ_LINK_$(FUZZ)) $(CJSON_LIBS) $(NETTLE_LIBS)
	cd fuzz && LAMBDAFIT_DATADIR='$(abs_top_srcdir)' ./fuzz_$(FUZZ) -max_total_time=$(FUZZ_SECONDS) -max_len=20000 -timeout=60 $(FUZZ) $(abs_top_srcdir)/tests/fuzz/corpus/$(FUZZ)
