// How long a server has been without its pipe to accounts or queue. When a process dies, the dispatcher hands
// out new pipes with its next start; but a pipe may also break between two processes that live on (one found
// garbage in it, or ran out of descriptors), and then nobody makes a new one. A server that has waited longer
// than any restart takes ends itself: its own start brings new pipes. Callers: smtpd, pop3d, smtp-deliver.
#pragma once

#include <chrono>
#include <optional>

namespace po {

class LostPipe {
 public:
  using Moment = std::chrono::steady_clock::time_point;
  /// Longer than the longest back-off of the dispatcher (30 s) and than smtpd waits for a lost answer (30 s).
  static constexpr std::chrono::seconds kHopeless{40};

  void lost(Moment now = std::chrono::steady_clock::now()) {
    if (!since_) since_ = now;
  }
  void back() { since_.reset(); }
  [[nodiscard]] bool hopeless(Moment now) const { return since_ && now - *since_ >= kHopeless; }

 private:
  std::optional<Moment> since_;
};

}  // namespace po
