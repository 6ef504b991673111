// How much of what was deleted a commit works off: as much as it deletes, and some more while anything is
// left, but never so much that the others in the commit would wait for it. Pure. Callers: Writer, and the
// churn program below tests/bench, which must do as the writer does.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <variant>

#include "lib/store/store.h"

namespace queue {

class ReleasePace {
 public:
  /// Messages to work off in a commit beside `changes`; 0: nothing is left.
  [[nodiscard]] std::size_t beside(std::span<const store::Change> changes) const {
    if (!left_) return 0;
    if (changes.empty()) return kIdle;
    std::size_t expunged = 0;
    for (const store::Change& c : changes) {
      if (const auto* e = std::get_if<store::Expunge>(&c)) expunged += e->ids.size();
    }
    // More than one for each change, so that under steady load a large deletion is worked off too.
    return kBusy + changes.size() + std::min(expunged, kMostExpunged);
  }

  /// What came of a commit, with or without a Release in it.
  void on_committed(std::span<const store::Change> changes,
                    std::span<const store::Result<std::uint64_t>> results) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const auto* r = std::get_if<store::Release>(&changes[i]);
      if (r != nullptr) left_ = !results[i] || *results[i] >= r->at_most;
    }
    for (std::size_t i = 0; i < changes.size() && !left_; ++i) {
      bool takes_away = std::holds_alternative<store::Expunge>(changes[i]) ||
                        std::holds_alternative<store::Settle>(changes[i]);
      bool errand = std::holds_alternative<store::Errand>(changes[i]);
      left_ = results[i] && (errand || (takes_away && *results[i] > 0));
    }
  }

  /// There may be something to work off.
  [[nodiscard]] bool left() const { return left_; }

 private:
  static constexpr std::size_t kIdle = 256, kBusy = 32, kMostExpunged = 128;
  bool left_ = true;
};

}  // namespace queue
