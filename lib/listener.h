// Accepts connections from a listening socket that the dispatcher bound. Takes a batch a turn; when the
// process is out of descriptors it waits a second instead of spinning.
#pragma once

#include <functional>

#include "lib/fd.h"
#include "lib/loop.h"
#include "lib/messages.h"
#include "lib/net_address.h"

namespace po {

class Listener {
 public:
  using OnAccept = std::function<void(Fd socket, const messages::NetAddress& client)>;
  Listener(const Loop& loop, Fd socket, OnAccept on_accept);
  /// Stops accepting; the socket stays with the dispatcher, so waiting clients are not refused.
  void stop();

 private:
  void accept_some();
  const Loop& loop_;
  Fd socket_;
  OnAccept on_accept_;
  Event readable_, pause_;
};

}  // namespace po
