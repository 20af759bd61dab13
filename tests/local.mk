# SPDX-License-Identifier: Apache-2.0
# Unit tests of each room: tests/unit/ROOM.mk appends to UNIT_TESTS.
include tests/unit/base.mk
include tests/unit/profile.mk
include tests/unit/model.mk
include tests/unit/fleet.mk
include tests/unit/package.mk
include tests/unit/store.mk
include tests/unit/http.mk
include tests/unit/sandbox.mk
include tests/fuzz/local.mk
