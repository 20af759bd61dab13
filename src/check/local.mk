# SPDX-License-Identifier: Apache-2.0
noinst_HEADERS += include/lambdafit/check.h
noinst_LIBRARIES += src/check/liblf_check.a src/check/file/liblf_check_file.a
# Pure: tests/pure-rooms proves it.
src_check_liblf_check_a_SOURCES = src/check/inside.h src/check/config.h src/check/pattern.h src/check/measures.def src/check/measure.c \
	src/check/quantity.c src/check/doc.c src/check/nearest.c src/check/config.c src/check/match.c src/check/schema.c src/check/pattern.c \
	src/check/stats.c src/check/observe.c src/check/judge.c src/check/baseline.c src/check/report_json.c src/check/report.h \
	src/check/report_text.c src/check/report_junit.c src/check/report_sarif.c src/check/report_markdown.c src/check/report_annotations.c
# What reads files and YAML.
src_check_file_liblf_check_file_a_SOURCES = src/check/file/yaml.c src/check/file/events.c
