// /etc/post.office.conf: what must be known before the directory can be opened (man/post.office.conf.5 is the
// reference). Parsing is pure and total: any octets give a Config or a list of problems, each naming file,
// line and remedy. Callers: the dispatcher and the `post.office` command; the file is trusted only after its
// owner is checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/error.h"
#include "lib/messages.h"

namespace po::config {

/// Where a service listens: an address and port, or a Unix socket.
struct Endpoint {
  messages::NetAddress address;  ///< family 0: a Unix socket at `path`
  std::string path;              ///< absolute once the whole file is read
  bool operator==(const Endpoint& other) const;
  [[nodiscard]] std::string text() const;
};

/// One line of the service table.
struct Service {
  std::string name;
  messages::Protocol protocol = messages::Protocol::kSmtp;
  std::vector<Endpoint> listen;  ///< may be empty if `inetd`
  bool inetd = false;            ///< also connections that inetd accepted (run/inetd)
  std::string program;
  std::uint32_t processes = 0;  ///< 0: not said in this line
  std::uint32_t sessions =
      0;  ///< open at once, in one process, on one of the addresses; 0: the default of 1000
  bool implicit_tls = false;
  bool off = false;
  int line = 0;
};

/// As the configuration names it: "local-submission".
[[nodiscard]] std::string_view protocol_name(messages::Protocol protocol);

struct CertificateFiles {
  std::string chain, key;
  int line = 0;
};

enum class LogTo : std::uint8_t { kFile, kStderr };

struct Config {
  std::string file;      ///< where it was read
  std::string hostname;  ///< lower case; as the kernel says if the file does not
  std::string user = "mta", group = "mta";
  std::string admin_group;  ///< empty: root and the Postmaster's password only
  std::string program_directory = "/usr/local/post.office";
  std::string spool_directory = "/var/spool/post.office";
  std::string mailbox_directory = "/var/spool/mailbox";
  std::string log_directory = "/var/log/post.office";
  LogTo log_to = LogTo::kFile;
  std::uint64_t log_size = 10ULL << 20;  ///< octets, then a new file
  std::uint32_t log_files = 20;          ///< old files kept
  std::uint32_t log_days = 30;           ///< and not longer than this
  std::vector<CertificateFiles> certificates;
  std::vector<CertificateFiles> web_certificates;  ///< wwwd's own; empty: those above
  std::string
      saslauthd;  ///< socket of saslauthd, for accounts with Use-System-Password; empty: there is none
  std::vector<std::string>
      resolvers;                   ///< "address" or "address:port"; filled from resolv.conf by the caller if
  bool resolvers_given = false;    ///< this is false; given and empty: `resolver none`
  std::uint32_t smtp_deliver = 2;  ///< processes of smtp-deliver; 0: off
  bool unix_deliver = false;       ///< whether mail goes into the mail drops of this host's users
  std::string lmtp_socket;         ///< of the mail store that gets their mail instead; empty: none
  std::vector<Service> services;

  [[nodiscard]] std::string run_path(std::string_view name) const;  ///< SPOOL/run/NAME
  [[nodiscard]] std::string program(std::string_view name) const;   ///< PROGRAM-DIRECTORY/NAME
  /// How many processes of this program the service table wants, or, for the deliverers, their own keys; 0:
  /// off.
  /// Of story there is one if there is wwwd.
  [[nodiscard]] std::uint32_t processes(std::string_view program) const;
  /// Whether a service that is on takes connections from inetd.
  [[nodiscard]] bool any_inetd() const;
};

struct Parsed {
  Config config;
  std::vector<std::string> problems;  ///< "/etc/post.office.conf:12: ..."; empty: config is good
};

/// `file` is the name for messages; relative Unix sockets lie below the spool directory.
[[nodiscard]] Parsed parse(std::string_view text, const std::string& file);
/// Reads and parses; also the defaults that other files give (host name, resolv.conf). An unreadable or
/// unsafe file (writable by others than its owner; as root, not root's) is a problem as well.
[[nodiscard]] Parsed read(const std::string& file);

/// The "nameserver" lines of a resolv.conf; 127.0.0.1 if there is none that can be used, as resolv.conf(5)
/// has it.
[[nodiscard]] std::vector<std::string> parse_resolv_conf(std::string_view text);
/// "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]:53".
[[nodiscard]] std::optional<messages::NetAddress> parse_address_port(std::string_view text,
                                                                     std::uint16_t port_if_none);
/// Letters, digits, hyphens and dots, at least one dot, by RFC 1123 2.1.
[[nodiscard]] bool is_qualified_name(std::string_view name);

inline constexpr std::uint32_t kDefaultSessions = 1000;
inline constexpr std::uint32_t kMaxProcesses = 64;
inline constexpr const char* kDefaultFile = "/etc/post.office.conf";

}  // namespace po::config
