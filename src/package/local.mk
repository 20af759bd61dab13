# SPDX-License-Identifier: Apache-2.0
noinst_HEADERS += include/lambdafit/package.h
noinst_LIBRARIES += src/package/liblf_package.a
src_package_liblf_package_a_SOURCES = src/package/internal.h src/package/tree.c src/package/zipdir.c src/package/links.c \
	src/package/unzip.c src/package/cache.c src/package/open.c src/package/layers.c src/package/detect.c src/package/handler.c
