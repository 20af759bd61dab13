# SPDX-License-Identifier: Apache-2.0
"""The conformance suite: cases are data (../cases), this is what plays them."""
