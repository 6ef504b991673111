// What every process under the dispatcher does the same way: take the inherited descriptors (3: control
// socket, 4: log, 5: notices; 0 to 2 are /dev/null and the log), read control frames up to Start, confine
// itself, answer Ready, then run the loop, replaying what was handed out before Start to the handler as if it
// came now. A closed control socket is a Stop with 5 s.
//
//     int main() {
//       po::Module module = po::Module::start_or_die(po::messages::Role::kPop3d);
//       ... open databases, load keys: module.welcome() says where ...
//       module.confine_or_die();
//       Server server(module, ...);
//       return module.run(server);
//     }
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "lib/channel.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/messages.h"

namespace po {

struct Counters {
  std::uint32_t sessions = 0;
  std::uint64_t served = 0;
  std::uint64_t failures = 0;
};

class ModuleHandler {
 public:
  virtual ~ModuleHandler() = default;
  virtual void on_listen(const messages::Listen&, Fd) {}
  virtual void on_peer(const messages::Peer&, Fd) {}
  virtual void on_certificates(const messages::Certificates&) {}
  /// Stop accepting, finish within `seconds`, then call Module::finished(). The module exits after that time
  /// anyway.
  virtual void on_stop(std::uint32_t seconds) = 0;
  /// A notice said so (or may have got lost: also look by yourself now and then).
  virtual void on_directory_changed(std::uint64_t) {}
  /// A control frame that only this role knows (AdministerAnswer, PassCommand). False: not expected, the
  /// process ends.
  virtual bool on_control(Frame&) { return false; }
  /// For the alive notice, once a second.
  virtual Counters counters() { return {}; }
};

/// Says in the log why this process cannot go on, and ends it.
[[noreturn]] void die(Log& log, std::string_view what, std::string_view why);

class Module {
 public:
  [[nodiscard]] static Module start_or_die(messages::Role role);
  Module(Module&&) noexcept;
  Module& operator=(Module&&) = delete;
  ~Module();

  [[nodiscard]] const messages::Welcome& welcome() const;
  [[nodiscard]] const Loop& loop() const;
  [[nodiscard]] Log& log();
  /// What was opened; ends the process if it could not be.
  template <class T, class E>
  [[nodiscard]] T before_confine_or_die(std::string_view what, tl::expected<T, E> opened) {
    if (!opened) die(log(), what, opened.error().text);
    return std::move(*opened);
  }
  /// The row of lib/sandbox.h for this role; ends the process if the kernel refuses.
  void confine_or_die();
  /// Returns the exit status.
  [[nodiscard]] int run(ModuleHandler& handler);
  void finished();
  /// To the dispatcher (Administer, PassCommand).
  [[nodiscard]] Channel& control();
  /// accounts: tells the others, by UDP through the dispatcher.
  void notify_directory(std::uint64_t generation);

 private:
  struct Impl;
  explicit Module(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace po
