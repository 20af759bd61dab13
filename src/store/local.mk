# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += src/store/liblf_store.a
src_store_liblf_store_a_SOURCES = \
	include/lambdafit/rollup.h \
	include/lambdafit/store.h \
	src/store/aggregate.c \
	src/store/bind.c \
	src/store/checkpoint.c \
	src/store/function.def \
	src/store/inside.h \
	src/store/merge.c \
	src/store/kept.c \
	src/store/open.c \
	src/store/read.c \
	src/store/record.def \
	src/store/retain.c \
	src/store/roll.c \
	src/store/rollup.c \
	src/store/samples.c \
	src/store/sums.c \
	src/store/schema.c \
	src/store/schema.def \
	src/store/walvfs.c \
	src/store/write.c
