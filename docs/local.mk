# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += docs/log.md docs/profiles.md docs/templates.md
EXTRA_DIST += docs/life-cycle.md
EXTRA_DIST += docs/performance.md
EXTRA_DIST += docs/architecture.md
