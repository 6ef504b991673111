#include "lib/listener.h"

#include <sys/socket.h>

#include <cerrno>

namespace po {

static constexpr int kBatch = 16;

Listener::Listener(const Loop& loop, Fd socket, OnAccept on_accept)
    : loop_(loop), socket_(std::move(socket)), on_accept_(std::move(on_accept)) {
  readable_.on_readable(loop_, socket_.get(), [this] { accept_some(); });
}

void Listener::stop() {
  readable_.cancel();
  pause_.cancel();
  socket_.reset();
}

void Listener::accept_some() {
  for (int i = 0; i < kBatch && socket_; ++i) {
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    Fd client(
        ::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&from), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) {
      on_accept_(std::move(client), net_address(&from, length));
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      readable_.cancel();
      pause_.after(loop_, std::chrono::seconds(1),
                   [this] { readable_.on_readable(loop_, socket_.get(), [this] { accept_some(); }); });
    } else if (errno == EINTR || errno == ECONNABORTED) {
      continue;
    }
    return;  // EAGAIN: another worker was faster, or there are no more
  }
}

}  // namespace po
