#include "queue/route_command.h"

#include <fmt/format.h>

#include "lib/text.h"

namespace queue {

using directory::Resolution;
using directory::Target;
using directory::Verdict;
using po::for_terminal;
using po::json_string;
using po::messages::CommandOutput;
using po::messages::Hosts;
using po::messages::NextHop;
using po::messages::TlsLevel;
using Step = po::CommandTask::Step;

RouteCommand::RouteCommand(const po::Loop& loop, DeliveryControl& control, std::string address,
                           std::string sender, bool json)
    : loop_(loop), control_(control), address_(std::move(address)), sender_(std::move(sender)), json_(json) {}

static std::string_view verdict_name(Verdict v) {
  static constexpr std::string_view kNames[] = {"local", "relay-domain", "remote", "unknown", "loop"};
  return kNames[static_cast<std::size_t>(v)];
}

static std::string_view verdict_text(Verdict v) {
  static constexpr std::string_view kTexts[] = {
      "ours: taken from anybody", "in Relay-Domains: taken from anybody",
      "elsewhere: taken from those who may relay", "refused", "refused"};
  return kTexts[static_cast<std::size_t>(v)];
}

static std::string_view tls_name(TlsLevel level) {
  static constexpr std::string_view kNames[] = {"none", "opportunistic", "required", "verified"};
  return kNames[static_cast<std::size_t>(level)];
}

static std::string_view kind_name(Target::Kind kind) {
  static constexpr std::string_view kNames[] = {"mailbox", "remote", "maildrop", "held"};
  return kNames[static_cast<std::size_t>(kind)];
}

// ---- the decision

static void begin_json(const std::string& address, const Resolution& r, std::string& out) {
  out += fmt::format("{{\"address\":{},\"verdict\":\"{}\",\"why\":{},\"steps\":[", json_string(address),
                     verdict_name(r.verdict), json_string(r.why));
  const char* comma = "";
  for (const std::string& step : r.steps) {
    out += comma + json_string(step);
    comma = ",";
  }
  out += "],\"targets\":[";
}

static void begin_text(const std::string& address, const Resolution& r, std::string& out) {
  out += fmt::format("{}\n", for_terminal(address));
  for (const std::string& step : r.steps) out += fmt::format("  {}\n", for_terminal(step));
  out += fmt::format("  {}{}{}\n", verdict_text(r.verdict), r.why.empty() ? "" : ": ", for_terminal(r.why));
}

Step RouteCommand::begin(CommandOutput& out) {
  auto resolution = control_.explain(address_);
  if (!resolution) return fail(out, po::kExitTemporary, resolution.error().text);
  resolution_ = std::move(*resolution);
  if (json_) {
    begin_json(address_, *resolution_, out.out);
  } else {
    begin_text(address_, *resolution_, out.out);
  }
  return Step::kMore;
}

// ---- one target

void RouteCommand::print_target(const Target& target, std::string& out) {
  if (json_) {
    out += fmt::format("{}{{\"kind\":\"{}\",\"address\":{},\"account\":{}", target_ == 0 ? "" : ",",
                       kind_name(target.kind), json_string(target.address), target.account);
    return;
  }
  switch (target.kind) {
    case Target::Kind::kMailbox:
      out +=
          fmt::format("{}: into the mailbox of account {}\n", for_terminal(target.address), target.account);
      return;
    case Target::Kind::kMaildrop:
      out +=
          fmt::format("{}: into the mail drop of account {}\n", for_terminal(target.address), target.account);
      return;
    case Target::Kind::kHeld:
      out += fmt::format("{}: held for the Postmaster\n", for_terminal(target.address));
      return;
    case Target::Kind::kRemote:
      out += fmt::format("{}: by SMTP\n", for_terminal(target.address));
  }
}

void RouteCommand::print_hop(const NextHop& hop, std::string& out) const {
  if (json_) {
    out += fmt::format(
        ",\"hop\":{{\"name\":{},\"by_mx\":{},\"host\":{},\"port\":{},\"tls\":\"{}\",\"user\":{},\"source\":{}"
        ","
        "\"helo\":{}}}",
        json_string(hop.name), hop.by_mx, json_string(hop.host), hop.port, tls_name(hop.tls),
        json_string(hop.user), json_string(hop.source), json_string(hop.helo));
    return;
  }
  out += hop.by_mx ? fmt::format("  next hop {} (by MX)", for_terminal(hop.host))
                   : fmt::format("  next hop {} port {} (this host alone)", for_terminal(hop.host), hop.port);
  out += fmt::format(", TLS {}", tls_name(hop.tls));
  if (!hop.user.empty()) out += fmt::format(", logs in as {}", for_terminal(hop.user));
  if (!hop.source.empty()) out += fmt::format(", from address {}", for_terminal(hop.source));
  if (!hop.helo.empty()) out += fmt::format(", greets as {}", for_terminal(hop.helo));
  out += "\n";
}

void RouteCommand::ask(const NextHop& hop) {
  waiting_ = true;
  hosts_.reset();
  auto take = [this, alive = std::weak_ptr<bool>(alive_), number = target_](const Hosts& hosts) {
    if (alive.expired() || !waiting_ || hosts_ || number != target_) return;
    hosts_ = hosts;
    wake();
  };
  late_.after(loop_, kPatience, [take] { take({po::Kind::kTemporary, {"the deliverer does not answer"}}); });
  control_.ask_hosts(hop, take);
}

void RouteCommand::print_hosts(std::string& out) {
  if (hosts_->kind != po::Kind::kDone) hosts_failed_ = true;
  if (json_) {
    out += fmt::format(",\"hosts_known\":{},\"hosts\":[", hosts_->kind == po::Kind::kDone);
    const char* comma = "";
    for (const std::string& line : hosts_->lines) {
      out += comma + json_string(line);
      comma = ",";
    }
    out += "]}";
    return;
  }
  for (const std::string& line : hosts_->lines) out += fmt::format("    {}\n", for_terminal(line));
}

// ---- all of them

Step RouteCommand::finish(CommandOutput& out) const {
  if (json_) out.out += "]}\n";
  bool refused = resolution_->verdict == Verdict::kUnknown || resolution_->verdict == Verdict::kLoop;
  out.exit_code = refused ? po::kExitRefused : hosts_failed_ ? po::kExitTemporary : 0;
  return Step::kEnd;
}

Step RouteCommand::step(CommandOutput& out) {
  if (!resolution_) return begin(out);
  if (waiting_) {
    if (!hosts_) return Step::kWait;
    waiting_ = false;
    late_.cancel();
    print_hosts(out.out);
    ++target_;
    return Step::kMore;
  }
  if (target_ >= resolution_->targets.size()) return finish(out);
  const Target& target = resolution_->targets[target_];
  print_target(target, out.out);
  if (target.kind == Target::Kind::kRemote) {
    NextHop hop = control_.next_hop(target.address, sender_);
    print_hop(hop, out.out);
    if (asked_++ < kMostHopsAsked) {
      ask(hop);
      return Step::kWait;
    }
  }
  if (json_) out.out += "}";
  ++target_;
  return Step::kMore;
}

}  // namespace queue
