# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += src/api/liblf_api.a
src_api_liblf_api_a_SOURCES = src/api/runtime.c src/api/server.c src/api/invoke.c src/api/invoke_stream.c src/api/control.c src/api/settings.c src/api/deploy.c src/api/url.c src/api/url_stream.c src/api/url.h src/api/invoke.h src/api/routes.h src/api/routes.def \
	include/lambdafit/api.h
