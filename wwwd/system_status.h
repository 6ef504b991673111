// How the system is, read from what `status --json`, `queue status --json` and `queue summary --json` print,
// and what of it needs a Postmaster's attention, in words. Pure. Caller: the front page.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "wwwd/json_reader.h"
#include "wwwd/svg.h"

namespace wwwd {

/// One process.
struct ModuleStatus {
  std::string name, module, state;  ///< "smtpd.1", "SMTP-Accept", "up"
  std::int64_t uptime = 0;          ///< seconds
  std::int64_t last_alive = -1;     ///< seconds ago; below 0: nothing heard yet
  std::uint64_t restarts = 0, sessions = 0, served = 0, refused = 0;
  /// It is up, but was not heard of for so long that it hangs.
  [[nodiscard]] bool silent() const { return state == "up" && last_alive > 30; }
};

struct DiskStatus {
  std::string name, path;            ///< "spool", its directory
  std::uint64_t free = 0, size = 0;  ///< octets; size 0: not known
};
struct CertificateStatus {
  std::string file, used_by, text;   ///< "mail and web", "23 days left"
  std::optional<std::int64_t> days;  ///< left; below 0: it has ended
};
struct PortStatus {
  std::string service, protocol, address, program;
  bool tls = false;  ///< from the start
};

struct SystemStatus {
  bool known = false;
  std::vector<ModuleStatus> modules;
  std::vector<CertificateStatus> certificates;  ///< the default one first
  std::vector<DiskStatus> disks;
  std::vector<PortStatus> ports;
  Rates rates;
  std::optional<std::uint64_t> failed_log_ins;  ///< in the last day
  /// That ends first; null if there is none.
  [[nodiscard]] const CertificateStatus* shortest_certificate() const;
};
[[nodiscard]] SystemStatus read_system_status(const Json& status);

struct QueueStatus {
  bool known = false;
  std::uint64_t waiting = 0, deferred = 0, held = 0;  ///< recipients
  std::uint64_t messages = 0;                         ///< that wait
  std::optional<std::int64_t> oldest;  ///< seconds that the oldest one waits; nothing: none does
  std::uint64_t free_octets = 0, store_octets = 0;
};
/// `oldest`: a row of the queue's list, its oldest; a null value if nothing waits.
[[nodiscard]] QueueStatus read_queue_status(const Json& status, const Json& summary, const Json& oldest,
                                            std::time_t now);

/// What is not well, and what to do.
struct Concern {
  enum class Weight : std::uint8_t { kWrong, kLook };
  Weight weight = Weight::kLook;
  std::string what;        ///< "SMTP-Accept is not up"
  std::string todo;        ///< "Mail from outside waits at its senders. ..."
  std::string path, link;  ///< where to look, and what it is called; may be empty
};
/// The worst first.
[[nodiscard]] std::vector<Concern> concerns_of(const SystemStatus& system, const QueueStatus& queue);

/// What does not work while this module is not up.
[[nodiscard]] std::string_view loss_without(std::string_view module);

}  // namespace wwwd
