# SPDX-License-Identifier: Apache-2.0
noinst_HEADERS += include/lambdafit/template.h
noinst_LIBRARIES += src/template/liblf_template.a
src_template_liblf_template_a_SOURCES = src/template/inside.h src/template/build.h src/template/resources.def src/template/properties.def \
	src/template/arena.c src/template/node.c src/template/problems.c src/template/build.c src/template/yaml.c src/template/jsontext.c \
	src/template/params.c src/template/conditions.c src/template/resolve.c src/template/lists.c src/template/sub.c src/template/refs.c \
	src/template/globals.c src/template/sections.c src/template/values.c src/template/layers.c src/template/events.c \
	src/template/functions.c src/template/load.c src/template/find.c src/template/validate.h src/template/validate.c \
	src/template/validate_parts.c src/template/references.c src/template/names.c src/template/foreach.c src/template/destinations.c
