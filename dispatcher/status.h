// What `post.office status` shows, as text and JSON. Pure. Caller: control.cc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dispatcher {

struct StatusRow {
  std::string name, module, state;  ///< "smtpd.1", "SMTP-Accept", "up"
  pid_t pid = 0;                    ///< 0: none now
  std::int64_t uptime = 0;          ///< seconds
  unsigned restarts = 0;
  std::uint32_t sessions = 0;
  std::uint64_t served = 0, refused = 0;
  double rate = 0;               ///< served a second, over the last ten seconds or so
  std::int64_t last_alive = -1;  ///< seconds ago; -1: nothing heard yet
};

struct CertificateStatus {
  std::string file, used_by;         ///< "mail", "web", "mail and web"
  std::optional<std::int64_t> days;  ///< left; below 0: it has ended
  std::string text;                  ///< "23 days left", for people
};
struct DiskStatus {
  std::string name, path;            ///< "spool", its directory
  std::uint64_t free = 0, size = 0;  ///< octets; size 0: not known
};
struct PortStatus {
  std::string service, protocol, address, program;
  bool tls = false;  ///< from the start
};

struct StatusHead {
  std::string hostname, version, config_file;
  std::vector<CertificateStatus> certificates;  ///< the default one first
  std::vector<DiskStatus> disks;
  std::vector<PortStatus> ports;
  std::int64_t now = 0, started = 0;  ///< seconds since 1970
  std::string history;                ///< RateHistory::json()
};

[[nodiscard]] std::string status_text(const StatusHead& head, const std::vector<StatusRow>& rows);
[[nodiscard]] std::string status_json(const StatusHead& head, const std::vector<StatusRow>& rows);
/// "3 d 04:05:06", "04:05:06".
[[nodiscard]] std::string duration_text(std::int64_t seconds);

}  // namespace dispatcher
