#include "dispatcher/status.h"

#include <fmt/format.h>

#include "lib/text.h"

namespace dispatcher {

using po::json_string;

std::string duration_text(std::int64_t s) {
  std::string clock = fmt::format("{:02}:{:02}:{:02}", s / 3600 % 24, s / 60 % 60, s % 60);
  return s >= 86400 ? fmt::format("{} d {}", s / 86400, clock) : clock;
}

std::string status_text(const StatusHead& head, const std::vector<StatusRow>& rows) {
  std::string out =
      fmt::format("Post.Office {} on {}, {}; certificate: {}\n\n", head.version, head.hostname,
                  head.config_file, head.certificates.empty() ? "none" : head.certificates.front().text);
  constexpr auto kLine = "{:<11} {:<16} {:<9} {:>8} {:>13} {:>8} {:>8} {:>10} {:>8} {:>8} {:>7}\n";
  out += fmt::format(kLine, "PROCESS", "MODULE", "STATE", "PID", "UP", "RESTARTS", "SESSIONS", "SERVED",
                     "REFUSED", "RATE/S", "ALIVE");
  for (const StatusRow& r : rows) {
    out += fmt::format(kLine, r.name, r.module, r.state, r.pid != 0 ? std::to_string(r.pid) : "-",
                       duration_text(r.uptime), r.restarts, r.sessions, r.served, r.refused,
                       fmt::format("{:.1f}", r.rate),
                       r.last_alive < 0 ? "-" : fmt::format("{} s", r.last_alive));
  }
  return out;
}

/// A list of objects, one for each.
template <class T, class F>
static std::string list_json(std::string_view name, const std::vector<T>& all, const F& one) {
  std::string out = fmt::format("\"{}\":[", name);
  for (std::size_t i = 0; i < all.size(); ++i) out += (i == 0 ? "{" : ",{") + one(all[i]) + "}";
  return out + "]";
}

static std::string certificate_json(const CertificateStatus& c) {
  return fmt::format("\"file\":{},\"used_by\":{},\"days\":{},\"text\":{}", json_string(c.file),
                     json_string(c.used_by), c.days ? std::to_string(*c.days) : "null", json_string(c.text));
}

static std::string head_json(const StatusHead& head) {
  std::string out = fmt::format("\"hostname\":{},\"version\":{},\"config\":{},\"now\":{},\"started\":{}",
                                json_string(head.hostname), json_string(head.version),
                                json_string(head.config_file), head.now, head.started);
  out += "," + list_json("certificates", head.certificates, certificate_json);
  out += "," + list_json("disks", head.disks, [](const DiskStatus& d) {
           return fmt::format("\"name\":{},\"path\":{},\"free\":{},\"size\":{}", json_string(d.name),
                              json_string(d.path), d.free, d.size);
         });
  out += "," + list_json("ports", head.ports, [](const PortStatus& p) {
           return fmt::format("\"service\":{},\"protocol\":{},\"address\":{},\"program\":{},\"tls\":{}",
                              json_string(p.service), json_string(p.protocol), json_string(p.address),
                              json_string(p.program), p.tls);
         });
  return out + ",\"history\":" + (head.history.empty() ? "null" : head.history);
}

std::string status_json(const StatusHead& head, const std::vector<StatusRow>& rows) {
  std::string out = "{" + head_json(head) + ",\"processes\":[";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const StatusRow& r = rows[i];
    out += fmt::format(
        "{}{{\"name\":{},\"module\":{},\"state\":{},\"pid\":{},\"uptime\":{},\"restarts\":{},\"sessions\":{},"
        "\"served\":{},\"refused\":{},\"rate\":{:.2f},\"last_alive\":{}}}",
        i == 0 ? "" : ",", json_string(r.name), json_string(r.module), json_string(r.state), r.pid, r.uptime,
        r.restarts, r.sessions, r.served, r.refused, r.rate, r.last_alive);
  }
  return out + "]}\n";
}

}  // namespace dispatcher
