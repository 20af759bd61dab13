# SPDX-License-Identifier: Apache-2.0
# Programs of `make bench` (scripts/bench drives them). The relay is the floor everything is compared with: the same two hops, nothing else.
BENCH_TOOLS = tests/bench/bench_relay tests/bench/bench_load tests/bench/bench_runtime tests/bench/bench_launch tests/bench/bench_simulate
check_PROGRAMS += $(BENCH_TOOLS)
tests_bench_bench_relay_SOURCES = tests/bench/bench_relay.c
tests_bench_bench_relay_LDADD = $(UV_LIBS)
tests_bench_bench_load_SOURCES = tests/bench/bench_load.c
tests_bench_bench_load_LDADD = src/base/liblf_os.a src/base/liblf_base.a $(CJSON_LIBS) $(NETTLE_LIBS)
# Runs inside a sandbox as `bootstrap`: static where that can be had, so that nothing but the kernel decides how fast it starts.
tests_bench_bench_runtime_SOURCES = tests/bench/bench_runtime.c
tests_bench_bench_runtime_CFLAGS = $(AM_CFLAGS) $(LF_INIT_CFLAGS)
tests_bench_bench_runtime_LDFLAGS = $(AM_LDFLAGS) $(LF_INIT_LDFLAGS)
tests_bench_bench_launch_SOURCES = tests/bench/bench_launch.c
tests_bench_bench_launch_LDADD = src/sandbox/liblf_sandbox.a src/base/liblf_os.a src/base/liblf_base.a $(CJSON_LIBS) $(NETTLE_LIBS)
tests_bench_bench_simulate_SOURCES = tests/bench/bench_simulate.c
tests_bench_bench_simulate_LDADD = src/simulate/liblf_simulate.a src/model/liblf_model.a src/profile/liblf_profile.a src/base/liblf_os.a src/base/liblf_base.a \
	$(CJSON_LIBS) $(NETTLE_LIBS) -lm

EXTRA_DIST += scripts/bench
BENCH_FLAGS = --write '$(abs_top_srcdir)/docs/performance.md'
.PHONY: bench
bench: all $(BENCH_TOOLS)
	TOP_BUILDDIR='$(abs_top_builddir)' TOP_SRCDIR='$(abs_top_srcdir)' LAMBDAFIT_DATADIR='$(abs_top_srcdir)' LAMBDAFIT_LIBEXECDIR='$(abs_top_builddir)' \
	  $(top_srcdir)/scripts/bench $(BENCH_FLAGS)
