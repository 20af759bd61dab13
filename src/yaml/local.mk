# SPDX-License-Identifier: Apache-2.0
noinst_HEADERS += include/lambdafit/yaml.h
noinst_LIBRARIES += src/yaml/liblf_yaml.a
src_yaml_liblf_yaml_a_SOURCES = src/yaml/yaml.c
