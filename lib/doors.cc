#include "lib/doors.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

namespace po {

void Doors::open(const messages::Listen& listen, Fd socket) {
  Door& door = *doors_.emplace_back(std::make_unique<Door>());
  door.listen = listen;
  door.listener = std::make_unique<Listener>(loop_, std::move(socket),
                                             [this, &door](Fd client, const messages::NetAddress& address) {
                                               on_client_(door, std::move(client), address);
                                             });
}

/// Makes a connection that somebody else accepted ready for the event loop; family 0 if it is not a client of
/// the network that is still there.
static messages::NetAddress prepare(const Fd& client) {
  sockaddr_storage from{};
  socklen_t length = sizeof from;
  int on = 1;
  if (::ioctl(client.get(), FIONBIO, &on) != 0) return {};  // lib/sandbox.cc: no row has F_SETFL
  if (::getpeername(client.get(), reinterpret_cast<sockaddr*>(&from), &length) != 0) return {};
  return net_address(&from, length);
}

void Doors::take(const messages::Listen& listen, Fd client) {
  messages::NetAddress address = prepare(client);
  if (address.family != 0) on_client_(door_for_inetd(listen), std::move(client), address);
}

void Doors::stop() {
  for (auto& door : doors_) {
    if (door->listener) door->listener->stop();
  }
}

Door& Doors::door_for_inetd(const messages::Listen& listen) {
  for (auto& door : doors_) {
    if (door->listener || door->listen.service != listen.service) continue;
    door->listen = listen;  // reload may have changed it
    return *door;
  }
  Door& door = *doors_.emplace_back(std::make_unique<Door>());
  door.listen = listen;
  return door;
}

}  // namespace po
