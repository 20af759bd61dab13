# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += scripts/vm-run scripts/test-v2
