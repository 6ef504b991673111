// The ways by which a server process gets its clients: listening sockets that the dispatcher bound, and
// clients that inetd accepted, which the dispatcher passes on one by one. Each is a Door, that limits are
// counted by. Callers: the servers of smtpd and pop3d.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "lib/listener.h"

namespace po {

struct Door {
  messages::Listen listen;
  std::uint32_t sessions = 0;          ///< of clients that came by it; its server counts
  std::unique_ptr<Listener> listener;  ///< null: its clients come from inetd
};

class Doors {
 public:
  /// A Door stays where it is as long as the Doors do.
  using OnClient = std::function<void(Door& door, Fd socket, const messages::NetAddress& client)>;
  Doors(const Loop& loop, OnClient on_client) : loop_(loop), on_client_(std::move(on_client)) {}

  void open(const messages::Listen& listen, Fd socket);
  /// A client of messages::HandedClient. One that has gone already is dropped.
  void take(const messages::Listen& listen, Fd client);
  /// Nobody new comes by a listening socket.
  void stop();

 private:
  Door& door_for_inetd(const messages::Listen& listen);
  const Loop& loop_;
  OnClient on_client_;
  std::vector<std::unique_ptr<Door>> doors_;
};

}  // namespace po
