// The two databases that accounts owns, opened together under their exclusive locks: by the running accounts
// process, or by `post.office account ...` and `post.office form ...` while the system is stopped. Whoever
// holds one is the only one on the machine. Reads from any thread, changes from one thread at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "accounts/account_list.h"
#include "accounts/secrets.h"
#include "lib/directory/writer.h"
#include "lib/error.h"
#include "lib/messages.h"

namespace accounts {

/// What the read-only fields of System Information say: known to whoever opens the databases, or told later.
using SystemFacts = po::messages::SystemFacts;

class Administration {
 public:
  struct Options {
    std::string directory_path;  ///< directory/ of the spool
    std::string secrets_path;    ///< secrets/ of the spool
    std::string hostname;        ///< fully qualified name of this host
    /// directory::Writer::Options::settle: one second in a running system, zero in a stopped one.
    std::chrono::milliseconds settle{0};
    SystemFacts facts{};
  };
  /// Makes what is missing. Temporary failure if another process holds a lock: the system is running.
  [[nodiscard]] static po::Result<std::unique_ptr<Administration>> open(const Options& options);

  [[nodiscard]] directory::Writer& directory() { return *directory_; }
  [[nodiscard]] const directory::Writer& directory() const { return *directory_; }
  [[nodiscard]] Secrets& secrets() { return *secrets_; }
  [[nodiscard]] const Secrets& secrets() const { return *secrets_; }
  [[nodiscard]] const std::string& hostname() const { return hostname_; }
  /// Kept in step with the directory; any thread.
  [[nodiscard]] AccountList& list() const { return *list_; }
  /// Any thread, both: those that are being read stay as they are.
  [[nodiscard]] std::shared_ptr<const SystemFacts> facts() const { return facts_.load(); }
  void set_facts(SystemFacts facts) { facts_.store(std::make_shared<const SystemFacts>(std::move(facts))); }
  /// Address-Completion-Domain, or the host name.
  [[nodiscard]] std::string completion_domain() const;
  [[nodiscard]] const std::string& completion_domain(const directory::Settings& settings) const {
    return settings.completion_domain.empty() ? hostname_ : settings.completion_domain;
  }

 private:
  Administration() = default;
  std::unique_ptr<directory::Writer> directory_;
  std::unique_ptr<AccountList> list_;
  std::unique_ptr<Secrets> secrets_;
  std::atomic<std::shared_ptr<const SystemFacts>> facts_;
  std::string hostname_;
};

}  // namespace accounts
