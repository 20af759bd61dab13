# SPDX-License-Identifier: Apache-2.0
noinst_HEADERS += include/lambdafit/package.h
noinst_LIBRARIES += src/package/liblf_package.a
src_package_liblf_package_a_SOURCES = src/package/internal.h src/package/tree.c src/package/zipdir.c src/package/links.c \
	src/package/unzip.c src/package/cache.c src/package/open.c src/package/layers.c src/package/detect.c src/package/image.c src/package/image.h src/package/handler.c \
	src/package/map.c src/package/source.c src/package/elf.h src/package/elf.c src/package/dist.h src/package/dist.c \
	src/package/space.h src/package/kinds.c src/package/space.c src/package/facts.c src/package/facts.h src/package/facts_kept.c src/package/treemap.c src/package/check.h \
	src/package/rules.def src/package/oslibs.def src/package/check.c src/package/check_files.c src/package/check_elf.c \
	src/package/check_python.c src/package/build.h src/package/run.c src/package/zipwrite.c src/package/stage.c \
	src/package/wheel.c src/package/build.c src/package/doublezip.c src/package/watch.c src/package/stream.h src/package/stream.c src/package/tar.c src/package/imagefile.h \
	src/package/imagefile.c src/package/imagelayers.c src/package/check_image.c
packagedatadir = $(pkgdatadir)/package
dist_packagedata_DATA = src/package/lambdafit_unzip.py
