// Opens a store that was left by a loss of power, as queue does at its start, and says what is wrong with it.
// All mail is read through the store's interface; the tables are then read once more as man/store.5 gives
// them, to compare what is counted with what is there.
#pragma once

#include <string>

#include "tests/power/load.h"

namespace power {

class Checker {
 public:
  Checker(std::string path, const History& history) : path_(std::move(path)), history_(history) {}

  /// `answered` changes were acknowledged and must be there; with `begun` one more was on its way, and is
  /// there as a whole or not at all. `go_on`: afterwards the store takes mail and gives up all it has.
  /// Empty: nothing is wrong.
  [[nodiscard]] std::string check(std::size_t answered, std::size_t begun, bool go_on);
  [[nodiscard]] std::size_t messages_read() const { return messages_read_; }

 private:
  std::string check_mailboxes(const store::Store& store, const Mailboxes& expected);
  std::string check_waiting(const store::Store& store, const Held& expected);
  std::string check_message(const store::Store& store, std::uint64_t account, const store::Item& item,
                            const std::string& prefix);
  std::string check_going_on();

  std::string path_;
  const History& history_;
  std::size_t messages_read_ = 0;
};

/// Reads the tables of a store that is closed, and its bodies directory. Empty: all counts agree.
[[nodiscard]] std::string check_tables(const std::string& path);

}  // namespace power
