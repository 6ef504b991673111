// What a process of the suite sees around it when it has been taken over: the directories of the others,
// their sockets, another process of the same user, and descriptors as the dispatcher hands them out.
// Everything lies in one temporary directory and is gone with the Scene. Callers: tests/unit/walls/trial.cc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "lib/fd.h"

namespace walls {

// Descriptors of a tried process: the first three as in lib/sandbox.cc's table.
inline constexpr int kControl = 3, kLog = 4, kNotices = 5, kBody = 6, kListening = 7, kClient = 8, kPeer = 9,
                     kBodies = 10, kVictim = 11;

class Scene {
 public:
  /// Files and the other process belong to `uid`; -1: to the caller.
  explicit Scene(uid_t uid);
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;
  ~Scene();

  [[nodiscard]] std::string path(const char* name) const { return directory_ + "/" + name; }
  /// /proc/PID/`name` of the other process.
  [[nodiscard]] std::string proc(const char* name) const;
  [[nodiscard]] pid_t victim() const { return victim_; }
  [[nodiscard]] uid_t uid() const { return uid_; }
  [[nodiscard]] std::uint16_t resolver_port() const { return resolver_port_; }
  [[nodiscard]] std::uint16_t other_port() const { return other_port_; }
  [[nodiscard]] std::uint16_t udp_port() const { return udp_port_; }

  /// Makes again what the last try took away.
  void restore() const;
  /// In a child: puts the descriptors above into place and becomes the user.
  void enter() const;

 private:
  void make_sockets();
  void start_victim();

  uid_t uid_;
  std::string directory_;
  pid_t victim_ = -1;
  std::uint16_t resolver_port_ = 0, other_port_ = 0, udp_port_ = 0;
  po::Fd control_, control_end_, notices_, listening_, client_, client_end_, peer_, peer_end_, resolver_,
      other_, udp_, command_, abstract_, log_socket_, pidfd_;
};

}  // namespace walls
