// Rows of the table `recipient` (man/store.5): a Waiting that fits one row, whatever the servers said. Pure.
// Callers: Transaction, LmdbStore.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/store/store.h"

namespace store {

/// What is wrong with it, however short its replies were made; empty: nothing.
[[nodiscard]] std::string_view fault_of(const Waiting& waiting);

/// At most layout::kMaxRow octets: of attempts the newest kMostAttempts, and where their words are too long
/// for the row, only the beginning of them, the newest attempt's longest. `waiting` must have no fault.
[[nodiscard]] std::string encode_row(const Waiting& waiting);

/// Of the row, of its row of `due`, and of what LMDB adds: not less than they will take.
[[nodiscard]] std::uint64_t most_octets(const Waiting& waiting);

}  // namespace store
