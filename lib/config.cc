#include "lib/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <span>

#include "lib/net_address.h"

namespace po::config {
namespace {

using messages::NetAddress;
using messages::Protocol;

constexpr std::size_t kMaxProblems = 50;
constexpr std::size_t kMaxServices = 64;
constexpr std::size_t kMostSocketPath = 107;  // sockaddr_un

/// The service table of a file that has no `service` line.
constexpr std::string_view kStandardServices =
    "service smtp        smtp             0.0.0.0:25,[::]:25    smtpd processes=2\n"
    "service submission  submission       0.0.0.0:587,[::]:587  smtpd\n"
    "service submissions submission       0.0.0.0:465,[::]:465  smtpd tls=implicit\n"
    "service local       local-submission run/submission        smtpd\n"
    "service pop3        pop3             0.0.0.0:110,[::]:110  pop3d\n"
    "service pop3s       pop3             0.0.0.0:995,[::]:995  pop3d tls=implicit\n"
    "service web         http             0.0.0.0:81,[::]:81    wwwd tls=implicit\n"
    "service finger      finger           0.0.0.0:79,[::]:79    fingerd\n"
    "service command     command          run/command           accounts\n";

struct ProtocolRow {
  std::string_view name;
  Protocol protocol;
  std::string_view program;
  bool unix_socket;
  bool may_implicit_tls;
};
constexpr ProtocolRow kProtocols[] = {
    {"smtp", Protocol::kSmtp, "smtpd", false, false},
    {"submission", Protocol::kSubmission, "smtpd", false, true},
    {"local-submission", Protocol::kLocalSubmission, "smtpd", true, false},
    {"pop3", Protocol::kPop3, "pop3d", false, true},
    {"command", Protocol::kCommand, "accounts", true, false},
    {"http", Protocol::kHttp, "wwwd", false, true},
    {"finger", Protocol::kFinger, "fingerd", false, false},
};

const ProtocolRow* find_protocol(std::string_view name) {
  for (const ProtocolRow& row : kProtocols) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

std::vector<std::string_view> split_words(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

template <class T>
std::optional<T> parse_number(std::string_view text, T low, T high) {
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < low || value > high) return {};
  return value;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_account_name(std::string_view name) {
  if (name.empty() || name.size() > 32 || name[0] == '-') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

bool is_service_name(std::string_view name) {
  return is_account_name(name);
}

/// Words of a problem are the file's own octets: shown only as far as they print.
std::string shown(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, 60)) out += (c > 32 && c < 127) ? c : '?';
  if (text.size() > 60) out += "...";
  return out;
}

/// A path without "." and ".." parts, absolute.
bool is_clean_path(std::string_view path) {
  if (path.empty() || path[0] != '/' || path.size() > 4000) return false;
  while (!path.empty()) {
    std::size_t end = std::min(path.find('/', 1), path.size());
    std::string_view part = path.substr(1, end - 1);
    if (part == "." || part == "..") return false;
    path.remove_prefix(end);
  }
  return true;
}

class Parser {
 public:
  Parser(Parsed& out, const std::string& file) : out_(out), config_(out.config), file_(file) {}

  void parse_text(std::string_view text) {
    while (!text.empty() && out_.problems.size() < kMaxProblems) {
      std::size_t end = std::min(text.find('\n'), text.size());
      std::string_view line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      ++line_;
      parse_line(line);
    }
  }
  void finish();

 private:
  struct Key {
    std::string_view name;
    std::size_t words;
    void (Parser::*apply)(std::span<const std::string_view>);
    bool repeatable = false;
  };
  static std::span<const Key> keys();

  void problem(std::string text) {
    if (out_.problems.size() < kMaxProblems)
      out_.problems.push_back(fmt::format("{}:{}: {}", file_, line_, text));
  }
  void parse_line(std::string_view line);
  void parse_service(std::span<const std::string_view> words);
  void parse_options(Service& service, const ProtocolRow& row, std::span<const std::string_view> words);
  bool parse_endpoints(Service& service, const ProtocolRow& row, std::string_view list);
  void set_path(std::string& where, std::string_view value);
  void set_name(std::string& where, std::string_view value, const char* what);

  void on_hostname(std::span<const std::string_view> w) {
    std::string name = lower(w[0]);
    if (!is_qualified_name(name)) {
      return problem(fmt::format(
          "host name {} is not fully qualified; write it with its domain, as mail.example.org", shown(w[0])));
    }
    config_.hostname = std::move(name);
  }
  void on_user(std::span<const std::string_view> w) { set_name(config_.user, w[0], "user"); }
  void on_group(std::span<const std::string_view> w) { set_name(config_.group, w[0], "group"); }
  void on_admin_group(std::span<const std::string_view> w) { set_name(config_.admin_group, w[0], "group"); }
  void on_program(std::span<const std::string_view> w) { set_path(config_.program_directory, w[0]); }
  void on_spool(std::span<const std::string_view> w) { set_path(config_.spool_directory, w[0]); }
  void on_mailbox(std::span<const std::string_view> w) { set_path(config_.mailbox_directory, w[0]); }
  void on_log_directory(std::span<const std::string_view> w) { set_path(config_.log_directory, w[0]); }
  void on_log(std::span<const std::string_view> w) {
    if (w[0] == "file")
      config_.log_to = LogTo::kFile;
    else if (w[0] == "stderr")
      config_.log_to = LogTo::kStderr;
    else
      problem(fmt::format("log {}: write file or stderr", shown(w[0])));
  }
  void on_log_size(std::span<const std::string_view> w) {
    auto n = parse_number<std::uint64_t>(w[0], 1, 1 << 20);
    if (n)
      config_.log_size = *n << 20;
    else
      problem(fmt::format("log-size {}: write megabytes from 1 to 1048576", shown(w[0])));
  }
  void set_count(std::uint32_t& where, std::string_view key, std::string_view value, std::uint32_t low) {
    auto n = parse_number<std::uint32_t>(value, low, 100'000);
    if (n)
      where = *n;
    else
      problem(fmt::format("{} {}: write a number from {} to 100000", key, shown(value), low));
  }
  void on_log_files(std::span<const std::string_view> w) {
    set_count(config_.log_files, "log-files", w[0], 0);
  }
  void on_log_days(std::span<const std::string_view> w) { set_count(config_.log_days, "log-days", w[0], 1); }
  void add_certificate(std::vector<CertificateFiles>& where, std::span<const std::string_view> w) {
    CertificateFiles files;
    files.line = line_;
    set_path(files.chain, w[0]);
    set_path(files.key, w[1]);
    if (where.size() >= 100) return problem("more than 100 certificates");
    where.push_back(std::move(files));
  }
  void on_certificate(std::span<const std::string_view> w) { add_certificate(config_.certificates, w); }
  void on_web_certificate(std::span<const std::string_view> w) {
    add_certificate(config_.web_certificates, w);
  }
  void on_saslauthd(std::span<const std::string_view> w) { set_path(config_.saslauthd, w[0]); }
  void on_smtp_deliver(std::span<const std::string_view> w) {
    auto n = w[0] == "off" ? std::optional(0U) : parse_number<std::uint32_t>(w[0], 1, kMaxProcesses);
    if (n)
      config_.smtp_deliver = *n;
    else
      problem(fmt::format("smtp-deliver {}: write off, or a number of processes from 1 to {}", shown(w[0]),
                          kMaxProcesses));
  }
  void on_unix_deliver(std::span<const std::string_view> w) {
    config_.unix_deliver = w[0] == "on";
    if (w[0] == "on" || w[0] == "off") return;
    if (!w[0].starts_with('/')) {
      return problem(fmt::format(
          "unix-deliver {}: write on, off, or the absolute path of a mail store's LMTP socket", shown(w[0])));
    }
    if (w[0].size() > kMostSocketPath) {
      return problem(fmt::format("unix-deliver {}: a socket's path has at most {} octets", shown(w[0]),
                                 kMostSocketPath));
    }
    set_path(config_.lmtp_socket, w[0]);
  }
  void on_resolver(std::span<const std::string_view> w) {
    config_.resolvers_given = true;
    if (w[0] == "none") {
      resolver_none_ = true;
    } else if (!parse_address_port(w[0], 53)) {
      problem(
          fmt::format("resolver {}: write an IP address, with :PORT if it is not 53, or none", shown(w[0])));
    } else if (config_.resolvers.size() >= 8) {
      problem("more than 8 resolvers");
    } else {
      config_.resolvers.emplace_back(w[0]);
    }
    if (resolver_none_ && !config_.resolvers.empty())
      problem("resolver none stands beside other resolvers; keep one");
  }

  Parsed& out_;
  Config& config_;
  std::string file_;
  int line_ = 0;
  bool resolver_none_ = false;
  std::vector<std::string_view> seen_;
};

std::span<const Parser::Key> Parser::keys() {
  static constexpr Key kKeys[] = {
      {"hostname", 1, &Parser::on_hostname},
      {"user", 1, &Parser::on_user},
      {"group", 1, &Parser::on_group},
      {"admin-group", 1, &Parser::on_admin_group},
      {"program-directory", 1, &Parser::on_program},
      {"spool-directory", 1, &Parser::on_spool},
      {"mailbox-directory", 1, &Parser::on_mailbox},
      {"log-directory", 1, &Parser::on_log_directory},
      {"log", 1, &Parser::on_log},
      {"log-size", 1, &Parser::on_log_size},
      {"log-files", 1, &Parser::on_log_files},
      {"log-days", 1, &Parser::on_log_days},
      {"certificate", 2, &Parser::on_certificate, true},
      {"web-certificate", 2, &Parser::on_web_certificate, true},
      {"saslauthd", 1, &Parser::on_saslauthd},
      {"resolver", 1, &Parser::on_resolver, true},
      {"smtp-deliver", 1, &Parser::on_smtp_deliver},
      {"unix-deliver", 1, &Parser::on_unix_deliver},
  };
  return kKeys;
}

void Parser::parse_line(std::string_view line) {
  if (line.find_first_of(std::string_view("\0\r", 2)) != std::string_view::npos) {
    return problem("the line holds a NUL or carriage return; write plain text lines");
  }
  line = line.substr(0, line.find('#'));
  std::vector<std::string_view> words = split_words(line);
  if (words.empty()) return;
  std::span<const std::string_view> rest(words.begin() + 1, words.end());
  if (words[0] == "service") return parse_service(rest);
  for (const Key& key : keys()) {
    if (key.name != words[0]) continue;
    if (rest.size() != key.words) {
      return problem(fmt::format("{} takes {} word{}", key.name, key.words, key.words == 1 ? "" : "s"));
    }
    if (!key.repeatable && std::find(seen_.begin(), seen_.end(), key.name) != seen_.end()) {
      return problem(fmt::format("{} is set a second time; keep one of the lines", key.name));
    }
    seen_.push_back(key.name);
    return (this->*key.apply)(rest);
  }
  problem(fmt::format("{} is not a key; post.office.conf(5) lists them", shown(words[0])));
}

void Parser::set_path(std::string& where, std::string_view value) {
  if (!is_clean_path(value)) {
    return problem(fmt::format("{}: write an absolute path, without . and .. in it", shown(value)));
  }
  while (value.size() > 1 && value.back() == '/') value.remove_suffix(1);
  where = std::string(value);
}

void Parser::set_name(std::string& where, std::string_view value, const char* what) {
  if (!is_account_name(value)) return problem(fmt::format("{}: write the name of a {}", shown(value), what));
  where = std::string(value);
}

void Parser::parse_service(std::span<const std::string_view> words) {
  if (words.size() < 4) {
    return problem(
        "a service line is: service NAME PROTOCOL LISTEN[,LISTEN] PROGRAM [processes=N] [sessions=N] "
        "[tls=implicit] [off]");
  }
  Service service;
  service.line = line_;
  service.name = std::string(words[0]);
  if (!is_service_name(words[0]))
    return problem(fmt::format("{}: a service's name is letters, digits, - _ .", shown(words[0])));
  const ProtocolRow* row = find_protocol(words[1]);
  if (row == nullptr) {
    return problem(fmt::format(
        "{}: the protocols are smtp, submission, local-submission, pop3, http, finger and command",
        shown(words[1])));
  }
  service.protocol = row->protocol;
  service.program = std::string(words[3]);
  if (service.program != row->program) {
    return problem(fmt::format("{} is served by {}, not by {}", row->name, row->program, shown(words[3])));
  }
  if (!parse_endpoints(service, *row, words[2])) return;
  parse_options(service, *row, words.subspan(4));
  for (const Service& other : config_.services) {
    if (other.name == service.name)
      return problem(fmt::format("service {} is in line {} already", service.name, other.line));
  }
  if (config_.services.size() >= kMaxServices) return problem("more than 64 services");
  config_.services.push_back(std::move(service));
}

bool Parser::parse_endpoints(Service& service, const ProtocolRow& row, std::string_view list) {
  while (true) {
    std::size_t end = std::min(list.find(','), list.size());
    std::string_view text = list.substr(0, end);
    Endpoint endpoint;
    bool inetd = !row.unix_socket && text == "inetd";
    if (inetd) {
      service.inetd = true;
    } else if (row.unix_socket) {
      endpoint.path = std::string(text);
      bool relative = !text.empty() && text[0] != '/';
      if (!is_clean_path(relative ? "/" + endpoint.path : endpoint.path) || text.back() == '/' ||
          text.size() > 90) {
        problem(fmt::format("{}: {} listens on a Unix socket; write its path, as run/{}", shown(text),
                            row.name, row.name));
        return false;
      }
    } else {
      auto address = parse_address_port(text, 0);
      if (!address || address->port == 0) {
        problem(fmt::format("{}: write ADDRESS:PORT, as 0.0.0.0:25 or [::]:25, or inetd", shown(text)));
        return false;
      }
      endpoint.address = *address;
    }
    if (!inetd) service.listen.push_back(std::move(endpoint));
    if (end == list.size()) break;
    list.remove_prefix(end + 1);
    if (service.listen.size() >= 16) {
      problem("more than 16 addresses in one service; make it two services");
      return false;
    }
  }
  return true;
}

void Parser::parse_options(Service& service, const ProtocolRow& row,
                           std::span<const std::string_view> words) {
  for (std::string_view word : words) {
    if (word == "off") {
      service.off = true;
    } else if (word == "tls=implicit") {
      if (!row.may_implicit_tls)
        problem(fmt::format("{} does not begin with TLS; take tls=implicit away", row.name));
      service.implicit_tls = true;
    } else if (word.starts_with("processes=")) {
      auto n = parse_number<std::uint32_t>(word.substr(10), 1, kMaxProcesses);
      if (!n) problem(fmt::format("{}: processes is a number from 1 to {}", shown(word), kMaxProcesses));
      if (n && *n > 1 && service.program == "accounts")
        problem("there is one process of accounts; take processes= away");
      service.processes = n.value_or(1);
    } else if (word.starts_with("sessions=")) {
      auto n = parse_number<std::uint32_t>(word.substr(9), 1, 100'000);
      if (!n) problem(fmt::format("{}: sessions is a number from 1 to 100000", shown(word)));
      service.sessions = n.value_or(kDefaultSessions);
    } else {
      problem(fmt::format("{}: the options are processes=N, sessions=N, tls=implicit and off", shown(word)));
    }
  }
}

/// What only the whole file can show.
void Parser::finish() {
  for (Service& service : config_.services) {
    line_ = service.line;
    for (Endpoint& endpoint : service.listen) {
      if (!endpoint.path.empty() && endpoint.path[0] != '/')
        endpoint.path = config_.spool_directory + "/" + endpoint.path;
      if (endpoint.path.size() > kMostSocketPath) {
        problem(fmt::format("{}: a socket's path has at most {} octets; move spool-directory",
                            shown(endpoint.path), kMostSocketPath));
      }
    }
    bool told = false;  // of one line that differs, not of all
    for (const Service& other : config_.services) {
      if (&other == &service) break;
      if (other.off || service.off) continue;
      if (!told && other.program == service.program && other.processes && service.processes &&
          other.processes != service.processes) {
        told = true;
        problem(fmt::format("{} has processes={} in line {}; services of one program share its processes",
                            service.program, other.processes, other.line));
      }
      for (const Endpoint& endpoint : service.listen) {
        if (std::find(other.listen.begin(), other.listen.end(), endpoint) != other.listen.end()) {
          problem(
              fmt::format("{} is taken by service {} in line {}", endpoint.text(), other.name, other.line));
        }
      }
    }
  }
}

}  // namespace

bool Endpoint::operator==(const Endpoint& other) const {
  return path == other.path && address.family == other.address.family &&
         address.octets == other.address.octets && address.port == other.address.port;
}

std::string Endpoint::text() const {
  return address.family == 0 ? path : address_port_text(address);
}

std::string Config::run_path(std::string_view name) const {
  return fmt::format("{}/run/{}", spool_directory, name);
}
std::string_view protocol_name(Protocol protocol) {
  auto at = std::find_if(std::begin(kProtocols), std::end(kProtocols),
                         [protocol](const ProtocolRow& row) { return row.protocol == protocol; });
  return at == std::end(kProtocols) ? std::string_view() : at->name;
}

std::string Config::program(std::string_view name) const {
  return fmt::format("{}/{}", program_directory, name);
}

std::uint32_t Config::processes(std::string_view program) const {
  if (program == "smtp-deliver") return smtp_deliver;
  if (program == "unix-deliver") return unix_deliver ? 1 : 0;
  if (program == "lmtp-deliver") return lmtp_socket.empty() ? 0 : 1;
  if (program == "story") return processes("wwwd") > 0 ? 1 : 0;
  std::uint32_t count = 0;
  bool any = false;
  for (const Service& service : services) {
    if (service.off || service.program != program) continue;
    any = true;
    count = std::max(count, service.processes);
  }
  return any ? std::max(count, 1U) : 0;
}

bool Config::any_inetd() const {
  return std::any_of(services.begin(), services.end(), [](const Service& s) { return s.inetd && !s.off; });
}

Parsed parse(std::string_view text, const std::string& file) {
  Parsed out;
  out.config.file = file;
  Parser parser(out, file);
  parser.parse_text(text);
  if (out.config.services.empty() && out.problems.empty()) parser.parse_text(kStandardServices);
  parser.finish();
  return out;
}

std::vector<std::string> parse_resolv_conf(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty() && out.size() < 3) {  // resolv.conf(5): MAXNS
    std::size_t end = std::min(text.find('\n'), text.size());
    std::vector<std::string_view> words = split_words(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.size() >= 2 && words[0] == "nameserver" && parse_address_port(words[1], 53))
      out.emplace_back(words[1]);
  }
  if (out.empty()) out.emplace_back("127.0.0.1");
  return out;
}

std::optional<NetAddress> parse_address_port(std::string_view text, std::uint16_t port_if_none) {
  std::string_view host = text, port;
  if (text.starts_with('[')) {
    std::size_t end = text.find(']');
    if (end == std::string_view::npos) return {};
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (host.find(':') == std::string_view::npos) return {};
    if (!port.empty() && port[0] != ':') return {};
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    host = text.substr(0, text.find(':'));
    port = text.substr(host.size());
  }
  auto address = parse_address(host);
  if (!address || address->family == 0) return {};
  address->port = port_if_none;
  if (port.empty()) return address;
  auto number = parse_number<std::uint16_t>(port.substr(1), 1, 65535);
  if (!number) return {};
  address->port = *number;
  return address;
}

bool is_qualified_name(std::string_view name) {
  if (name.empty() || name.size() > 253 || name.find('.') == std::string_view::npos) return false;
  while (true) {
    std::size_t end = std::min(name.find('.'), name.size());
    std::string_view label = name.substr(0, end);
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    for (char c : label) {
      if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'))
        return false;
    }
    if (end == name.size()) return true;
    name.remove_prefix(end + 1);
  }
}

}  // namespace po::config
