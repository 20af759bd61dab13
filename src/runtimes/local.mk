# SPDX-License-Identifier: Apache-2.0
# Programs that run inside a sandbox: they use nothing of ours and are installed as they are.
runtimespythondir = $(pkgdatadir)/runtimes/python
dist_runtimespython_DATA = src/runtimes/python/bootstrap.py
runtimesnodejsdir = $(pkgdatadir)/runtimes/nodejs
dist_runtimesnodejs_DATA = src/runtimes/nodejs/bootstrap.mjs
EXTRA_DIST += tests/integration/fake_runtime_api.py tests/integration/test_bootstraps.py
