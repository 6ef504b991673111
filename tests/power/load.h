// Mail that comes and goes, in one thread and by a seed: what the store is given, and what it must hold after
// each of its answers. Bodies of all sizes in rows and in files, messages in several mailboxes and for
// recipients that wait, which go, are put off and leave notices, deletions that are worked off later, bodies
// that are given up, a new start now and then.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/store/lmdb_store.h"
#include "tests/power/dice.h"
#include "tests/power/recorder.h"

namespace power {

inline constexpr std::uint64_t kMapOctets = 32ULL << 20;

using Mailbox = std::map<po::MessageId, std::string>;  ///< prefix lines
using Mailboxes = std::map<std::uint64_t, Mailbox>;    ///< none that is empty

/// All that a store holds.
struct Held {
  Mailboxes mailboxes;
  std::map<store::RecipientKey, store::Waiting> waiting;
  store::ErrandMark errand;
};

/// What was asked of the store, and what was answered.
struct History {
  std::map<po::MessageId, std::string> bodies;  ///< all that were ever offered
  std::vector<Held> after;                      ///< after so many changes; [0]: nothing yet
};

class Load {
 public:
  /// The store lies in `path`.
  Load(std::uint64_t seed, std::string path, Recorder& recorder);
  /// One commit; false: the store failed, `error()` tells.
  bool step();
  [[nodiscard]] const History& history() const { return history_; }
  [[nodiscard]] const std::string& error() const { return error_; }
  /// Of the step that failed.
  [[nodiscard]] const std::optional<store::Failure>& failure() const { return failure_; }
  /// How many changes of that step's transaction were answered as done, beside the one that failed.
  [[nodiscard]] std::size_t done_beside_failure() const { return done_beside_failure_; }

 private:
  bool open();
  bool failed(const store::Failure& failure);
  bool large_body(std::vector<store::Change>& batch);
  bool begin_large();
  bool end_large(std::vector<store::Change>& batch);
  store::Accept next_accept(std::size_t size);
  store::Change next_expunge();
  store::Waiting next_waiting();
  store::Change next_settle();
  store::Change next_errand();
  void note_accept(const store::Accept& accept);
  void note_settle(const store::Settle& settle);
  void note_errand(const store::Errand& errand);
  void note(const store::Change& change);

  Dice dice_;
  std::string path_;
  Recorder& recorder_;
  std::unique_ptr<store::LmdbStore> store_;
  History history_;
  Held now_;
  store::Errand errand_;  ///< that was begun last
  std::uint64_t number_ = 0;
  std::optional<store::Accept> large_;  ///< its file is written in part
  std::string large_rest_;
  po::Fd large_file_;
  std::string error_;
  std::optional<store::Failure> failure_;
  std::size_t done_beside_failure_ = 0;
};

}  // namespace power
