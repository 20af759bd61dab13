# SPDX-License-Identifier: Apache-2.0
# Programs that speak HTTP link $(HTTP_LIBS), then the archives of base (liblf_os.a before liblf_base.a).
noinst_HEADERS += include/lambdafit/http.h
noinst_LIBRARIES += src/http/liblf_http.a
src_http_liblf_http_a_SOURCES = src/http/client.c src/http/conn.c src/http/internal.h src/http/message.c src/http/reply.c src/http/server.c \
	src/http/status.c
src_http_liblf_http_a_CFLAGS = $(AM_CFLAGS) $(LLHTTP_CFLAGS)
HTTP_LIBS = src/http/liblf_http.a
if LLHTTP_FROM_SOURCE
# The parser as its distribution ships it: not ours to warn about. Strict mode refuses what a lenient reader could be smuggled past.
noinst_LIBRARIES += src/http/liblf_llhttp.a
src_http_liblf_llhttp_a_SOURCES = src/http/llhttp_api.c src/http/llhttp_http.c src/http/llhttp_llhttp.c
src_http_liblf_llhttp_a_CPPFLAGS = $(LLHTTP_CFLAGS) -DLLHTTP_STRICT_MODE=1
src_http_liblf_llhttp_a_CFLAGS = -std=gnu11 -w $(LF_CFLAGS) -w -Wno-error
HTTP_LIBS += src/http/liblf_llhttp.a
else
EXTRA_DIST += src/http/llhttp_api.c src/http/llhttp_http.c src/http/llhttp_llhttp.c
endif
HTTP_LIBS += $(LLHTTP_LIBS) $(UV_LIBS)
