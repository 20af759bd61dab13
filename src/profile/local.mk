# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += src/profile/liblf_profile.a
src_profile_liblf_profile_a_SOURCES = \
	include/lambdafit/profile.h \
	src/profile/describe.c \
	src/profile/fields.def \
	src/profile/load.c \
	src/profile/parse.c \
	src/profile/rates.def \
	src/profile/shipped.def \
	src/profile/table.h
