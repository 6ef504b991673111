// Plays an SMTP session without a socket: a World of a few accounts, and a driver that answers every question
// at once. What went out, and what was given to queue, is kept for the tests.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lib/address.h"
#include "lib/text.h"
#include "smtpd/session.h"

namespace smtpd::test {

inline directory::Account make_account(std::uint64_t id, std::string name,
                                       std::vector<std::string> addresses) {
  directory::Account a;
  a.id = id;
  a.name = std::move(name);
  a.addresses = std::move(addresses);
  return a;
}

class FakeWorld final : public World {
 public:
  FakeWorld() {
    add(make_account(1, "Mail Administrator", {"postmaster@mx.example.org"}));
    add(make_account(2, "Janie Lee", {"jane@podunk.edu", "janie@podunk.edu"}));
    add(make_account(3, "Joe", {"joe@podunk.edu"}));
    auto full = make_account(4, "Full", {"full@podunk.edu"});
    full.mailbox_limit = 1000;
    add(full);
    auto away = make_account(5, "Away", {"away@podunk.edu"});
    away.forwarding = {"x@elsewhere.net"};
    away.pop3_delivery = false;
    add(away);
    auto any = make_account(6, "Any", {"any@podunk.edu"});
    any.any_sender = true;
    add(any);
    auto rewritten = make_account(7, "Rewritten", {"primary@podunk.edu", "second@podunk.edu"});
    rewritten.from_rewrite = directory::FromRewrite::kQuoted;
    add(rewritten);
    settings_value.completion_domain = "podunk.edu";
    settings_value.local_domains = {"podunk.edu", "[192.0.2.25]"};
    settings_value.relay_domains = {"backup.net"};
    settings_value.channel_aliases = {
        "<sales@podunk.edu> <joe@podunk.edu>", "<old@podunk.edu> <x@elsewhere.net>",
        "<round@podunk.edu> <again@podunk.edu>", "<again@podunk.edu> <round@podunk.edu>"};
  }

  void add(const directory::Account& a) {
    accounts[a.id] = a;
    for (const std::string& address : a.addresses) addresses[address] = a.id;
  }

  po::Result<directory::Resolution> resolve(std::string_view address) override {
    if (broken) return po::temporary("directory is away");
    directory::AddressTables tables(settings_value, "mx.example.org");
    return directory::resolve(
        address,
        {.account_of = [this](std::string_view key) -> po::Result<std::optional<directory::Account>> {
           auto found = addresses.find(std::string(key));
           if (found == addresses.end()) return std::optional<directory::Account>();
           return std::optional(accounts.at(found->second));
         },
         .account = [this](std::uint64_t id) { return account(id); },
         .settings = settings_value,
         .tables = tables});
  }
  po::Result<std::optional<directory::Account>> account(std::uint64_t id) override {
    auto found = accounts.find(id);
    if (found == accounts.end()) return std::optional<directory::Account>();
    return std::optional(found->second);
  }
  std::shared_ptr<const directory::Settings> settings() override {
    return std::make_shared<directory::Settings>(settings_value);
  }
  const RelayNetworks& relay_networks() override { return networks; }
  const QueueStartPermissions& queue_start_permissions() override { return permissions; }
  po::MessageId next_id() override { return ids.next(1795401000000); }
  std::int64_t now() override { return 1795401000; }
  bool queue_ready() override { return queue; }
  bool tls_available() override { return tls; }

  std::map<std::uint64_t, directory::Account> accounts;
  std::map<std::string, std::uint64_t, std::less<>> addresses;
  directory::Settings settings_value;
  RelayNetworks networks;
  QueueStartPermissions permissions;
  po::IdMaker ids{7};
  bool queue = true, tls = true, broken = false;
};

struct Taken {
  std::string sender;
  std::vector<std::string> recipients;
  std::string body;
  bool in_file = false;
  bool operator==(const Taken&) const = default;
};

class Player {
 public:
  explicit Player(po::messages::Protocol protocol = po::messages::Protocol::kSmtp,
                  bool implicit_tls = false) {
    client.protocol = protocol;
    client.implicit_tls = implicit_tls;
    client.address.family = 4;
    client.address.octets = {192, 0, 2, 1};
    client.host = "mx.example.org";
    client.session = "s1";
    if (protocol == po::messages::Protocol::kLocalSubmission) {
      client.uid = 1000;
      client.user = "ann";
    }
  }

  void connect() {
    session.emplace(world, client);
    session->on_connect(actions);
    if (client.implicit_tls) handshake();
    perform();
  }
  void handshake() {
    session->on_tls("TLSv1.3", "TLS_AES_256_GCM_SHA384", actions);
    perform();
  }
  /// As the connection does: what is not taken is given again after the answers.
  void feed(std::string_view octets) {
    input += octets;
    std::string now = std::exchange(input, {});
    std::size_t taken = 0;
    while (taken < now.size()) {
      std::size_t n = session->on_bytes(std::string_view(now).substr(taken), actions);
      bool asked = perform();
      taken += n;
      if (n == 0 && !asked) break;
    }
    input = now.substr(taken);
  }
  std::string say(std::string_view octets) {
    feed(octets);
    return std::exchange(output, {});
  }
  [[nodiscard]] std::string last_report() const { return reports.empty() ? "" : reports.back().reply; }

  bool perform() {
    bool answered = false;
    for (std::size_t i = 0; i < actions.size(); ++i) {
      Action a = std::move(actions[i]);
      if (perform_one(a)) answered = true;
    }
    actions.clear();
    return answered;
  }

  FakeWorld world;
  Client client;
  std::optional<Session> session;
  std::string output, input;
  std::vector<Taken> taken;
  std::vector<Report> reports;
  po::messages::Submit last;
  std::uint64_t used = 2000;  ///< what every mailbox holds
  bool usage_known = true;
  std::string started;  ///< what ETRN or QSND asked queue for last
  std::uint64_t waiting_messages = 12;
  bool start_known = true;
  po::Kind submit_kind = po::Kind::kDone, file_kind = po::Kind::kDone;
  bool no_space = false, too_many = false;
  bool hold_submit = false;
  std::string name;
  po::messages::Answer verdict = po::messages::Answer::kDenied;  ///< for wrong passwords
  bool closed = false;
  int tls_started = 0, dropped = 0, names_asked = 0;

 private:
  bool perform_one(Action& action) {
    if (auto* a = std::get_if<WriteReply>(&action)) {
      output += a->text;
    } else if (auto* report = std::get_if<Report>(&action)) {
      reports.push_back(std::move(*report));
    } else if (auto* octets = std::get_if<WriteBody>(&action)) {
      file += octets->octets;
    } else if (std::holds_alternative<DropBody>(action)) {
      ++dropped;
      file.clear();
    } else if (std::holds_alternative<Close>(action)) {
      closed = true;
    } else if (std::holds_alternative<StartTls>(action)) {
      ++tls_started;
    } else {
      return answer(action);
    }
    return false;
  }

  bool answer(Action& action) {
    if (auto* submit = std::get_if<SubmitMessage>(&action)) {
      last = std::move(submit->message);
      if (hold_submit) return false;
      give_submitted();
    } else if (std::holds_alternative<OpenBody>(action)) {
      file.clear();
      session->on_body_file(file_kind, no_space, actions);
    } else if (auto* start = std::get_if<StartQueue>(&action)) {
      started = (start->subdomains ? "@" : "") + start->domain;
      session->on_started(start_known, waiting_messages, actions);
    } else if (std::holds_alternative<AskUsage>(action)) {
      session->on_usage(usage_known, used, actions);
    } else if (std::holds_alternative<AskName>(action)) {
      ++names_asked;
      session->on_client_name(name, actions);
    } else if (auto* ask = std::get_if<AskAccounts>(&action)) {
      po::messages::Verdict v;
      v.answer = verdict;
      v.retry_after = 30;
      auto found = world.addresses.find(ask->question.login);
      if (found != world.addresses.end() && ask->question.password == "secret") {
        v.answer = po::messages::Answer::kGranted;
        v.account = found->second;
        v.address = ask->question.login;
      }
      session->on_verdict(v, actions);
    }
    return true;
  }

 public:
  void give_name(std::string name) {
    session->on_client_name(std::move(name), actions);
    perform();
  }
  void give_submitted() {
    Taken t{last.sender, {}, last.in_file ? file : last.body, last.in_file};
    for (const auto& r : last.recipients) t.recipients.push_back(r.address);
    if (last.size != t.body.size()) t.body = "the size is wrong";
    po::Checksum sum;
    sum.add(t.body);
    if (sum.value() != last.checksum) t.body = "the checksum is wrong";
    if (submit_kind == po::Kind::kDone) taken.push_back(std::move(t));
    po::messages::Submitted answer;
    answer.kind = submit_kind;
    answer.no_space = no_space;
    answer.too_many = too_many;
    answer.text = "try later";
    session->on_submitted(answer, actions);
  }

 private:
  Actions actions;
  std::string file;
};

}  // namespace smtpd::test
