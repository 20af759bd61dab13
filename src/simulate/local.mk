# SPDX-License-Identifier: Apache-2.0
# Pure, and the same on every machine: no fused multiplications.
noinst_HEADERS += include/lambdafit/simulate.h
noinst_LIBRARIES += src/simulate/liblf_simulate.a
src_simulate_liblf_simulate_a_SOURCES = include/lambdafit/simulate.h src/simulate/inside.h src/simulate/random.c src/simulate/layers.def src/simulate/queue.c \
	src/simulate/text.c src/simulate/dist.c src/simulate/arrivals.c src/simulate/trace.c src/simulate/stats.c src/simulate/run.h src/simulate/run.c src/simulate/world.c src/simulate/service.c
