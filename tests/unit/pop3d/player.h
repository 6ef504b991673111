// Plays a pop3d::Session without sockets: a small mailbox and a few accounts answer its questions, at once or
// when the test says so. Used by the unit tests and by the fuzz target.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/dot_encoder.h"
#include "pop3d/session.h"

namespace pop3d::test {

struct Stored {
  std::string prefix, body;
  [[nodiscard]] std::uint64_t size() const { return prefix.size() + body.size(); }
};

inline po::MessageId message_id(unsigned n) {
  po::MessageId id;
  id.octets[11] = static_cast<std::uint8_t>(n);
  id.octets[10] = static_cast<std::uint8_t>(n >> 8);
  return id;
}

inline std::map<po::MessageId, Stored> three_messages() {
  const std::string prefix = "Return-Path: <a@b.example>\r\n";
  return {{message_id(1), {prefix, "Subject: one\r\n\r\nfirst\r\nsecond\r\nthird\r\n"}},
          {message_id(2), {prefix, "Subject: two\r\n\r\n.\r\n..\r\nend."}},
          {message_id(3), {prefix, ""}}};
}

inline Conditions at_home() {
  Conditions c;
  c.hostname = "mail.example";
  c.tls_available = true;
  c.loopback = true;
  return c;
}

class Player {
 public:
  explicit Player(Conditions conditions, std::map<po::MessageId, Stored> mailbox = three_messages())
      : mailbox_(std::move(mailbox)), session_(std::move(conditions)) {
    session_.on_start(actions_);
    run();
  }

  void input(std::string_view octets) {
    in_ += octets;
    feed();
  }
  template <class Event>
  void event(Event&& run_event) {
    run_event(session_, actions_);
    run();
    feed();
  }
  /// Answers that were held back, in the given order of their being asked.
  void answer_fetch(std::size_t which) {
    Fetch fetch = held_.at(which);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(which));
    event([&](Session&, Actions&) { answer(fetch); });
  }
  void hold_fetches(bool on) { hold_ = on; }
  void hold_all(bool on) { hold_ = hold_expunge_ = on; }
  void fail_expunge() { expunge_kind_ = po::Kind::kTemporary; }
  void remove(unsigned n) { mailbox_.erase(message_id(n)); }
  void break_disk() { disk_broken_ = true; }
  void repair_disk() { disk_broken_ = false; }

  [[nodiscard]] std::string take_output() { return std::exchange(out_, {}); }
  [[nodiscard]] const std::string& trace() const {
    return trace_;
  }  ///< every action and all output, in order
  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] const std::string& why() const { return why_; }
  [[nodiscard]] std::size_t held() const { return held_.size(); }
  [[nodiscard]] std::size_t most_held() const { return most_held_; }
  /// Messages in memory.
  [[nodiscard]] std::size_t kept() const { return fetched_.size(); }
  /// Numbers of the messages asked for since the last call.
  [[nodiscard]] std::string take_fetches() { return std::exchange(fetches_, {}); }
  [[nodiscard]] std::size_t left() const { return in_.size(); }
  [[nodiscard]] const std::map<po::MessageId, Stored>& mailbox() const { return mailbox_; }
  [[nodiscard]] Session& session() { return session_; }
  [[nodiscard]] unsigned open_mailboxes() const { return open_; }

 private:
  void feed() {
    std::size_t used = 0;
    do {
      used = session_.on_input(in_, actions_);
      in_.erase(0, used);
      run();
    } while (used != 0);
  }
  void run() {
    for (std::size_t i = 0; i < actions_.size(); ++i) {
      Action action = std::move(actions_[i]);
      std::visit([this](auto& a) { act(a); }, action);
    }
    actions_.clear();
  }
  void note(std::string_view what) { trace_ += "[" + std::string(what) + "]"; }
  po::Kind state_of(const po::MessageId& id) const {
    if (disk_broken_) return po::Kind::kTemporary;
    return mailbox_.count(id) != 0 ? po::Kind::kDone : po::Kind::kPermanent;
  }
  void say(std::string_view octets) {
    out_ += octets;
    trace_ += octets;
  }

  void act(Write& a) { say(a.text); }
  void act(StartTls&) {
    note("tls");
    in_.clear();
    session_.on_tls(actions_);
  }
  void act(Authenticate& a) {
    using po::messages::Answer;
    note("authenticate " + a.login + " " + a.password + " " + a.client_name);
    po::messages::Verdict v;
    static const std::map<std::string, Answer> kSpecial = {
        {"locked", Answer::kLocked},     {"elsewhere", Answer::kNotFrom}, {"smtponly", Answer::kNoMailbox},
        {"hasty", Answer::kTooMany},     {"lost", Answer::kUnavailable},  {"stranger", Answer::kNeedName},
        {"closedbox", Answer::kGranted}, {"unlucky", Answer::kGranted},   {"mute", Answer::kDenied}};
    auto special = kSpecial.find(a.login);
    v.answer = special != kSpecial.end() ? special->second : Answer::kDenied;
    if (a.login == "named") v.answer = a.name_looked_up ? Answer::kGranted : Answer::kNeedName;
    if (a.login == "jane" && a.password == "a secret ") v.answer = Answer::kGranted;
    v.retry_after = 30;
    v.account = 7;
    v.ticket = a.login;
    if (a.login != "mute") session_.on_verdict(v, actions_);
  }
  void act(LookUpName&) {
    note("name");
    session_.on_name("client.example", actions_);
  }
  void act(OpenMailbox& a) {
    note("open");
    po::messages::Mailbox m;
    if (a.ticket == "closedbox" || (a.ticket == "unlucky" && !std::exchange(opened_before_, true)))
      return session_.on_mailbox(m, actions_);
    m.kind = po::Kind::kDone;
    m.handle = 1;
    ++open_;
    for (const auto& [id, stored] : mailbox_) {
      if (m.entries.size() == 2) {  // as queue does: several frames
        m.more = true;
        session_.on_mailbox(m, actions_);
        m.entries.clear();
      }
      m.entries.push_back({id, stored.size()});
    }
    m.more = false;
    session_.on_mailbox(m, actions_);
  }
  void act(Fetch& a) {
    unsigned n = a.id.octets[11] + 256U * a.id.octets[10];
    fetches_ += (fetches_.empty() ? "" : " ") + std::to_string(n);
    if (hold_) {
      held_.push_back(a);
      most_held_ = std::max(most_held_, held_.size());
    } else {
      answer(a);
    }
  }
  /// As Connection does: what is there is kept, unless the session does not want it.
  void answer(const Fetch& fetch) {
    po::Kind kind = state_of(fetch.id);
    if (kind == po::Kind::kDone) fetched_[fetch.slot] = fetch.id;
    if (!session_.on_message(fetch.slot, kind, actions_)) fetched_.erase(fetch.slot);
  }
  void act(SendMessage& a) {
    const Stored& m = mailbox_.at(fetched_.at(a.slot));
    fetched_.erase(a.slot);
    po::DotEncoder encoder = a.lines ? po::DotEncoder(*a.lines) : po::DotEncoder();
    std::string out;
    encoder.add(m.prefix, out);
    encoder.add(m.body, out);
    encoder.finish(out);
    say(out);
    session_.on_sent(actions_);
  }
  void act(Forget& a) { fetched_.erase(a.slot); }
  void act(SendListing&) {
    bool more = true;
    while (more) {
      std::string piece;
      more = session_.next_listing(piece, 30);
      say(piece);
    }
    session_.on_sent(actions_);
  }
  void act(Expunge& a) {
    note("expunge " + std::to_string(a.ids.size()));
    if (expunge_kind_ == po::Kind::kDone) {
      for (const auto& id : a.ids) mailbox_.erase(id);
    }
    if (!hold_expunge_) session_.on_expunged(expunge_kind_, actions_);
  }
  void act(CloseMailbox&) {
    note("close mailbox");
    --open_;
  }
  void act(LoggedIn& a) { note("logged in " + std::to_string(a.messages)); }
  void act(LogInFailed& a) { note("failed " + a.login + " " + a.why); }
  void act(Close& a) {
    note(a.why);
    why_ = a.why;
    closed_ = true;
    in_.clear();
  }

  std::map<po::MessageId, Stored> mailbox_;
  Session session_;
  Actions actions_;
  std::string in_, out_, trace_, fetches_, why_;
  std::vector<Fetch> held_;
  std::map<std::uint32_t, po::MessageId> fetched_;
  std::size_t most_held_ = 0;
  unsigned open_ = 0;
  bool opened_before_ = false;
  bool hold_ = false, hold_expunge_ = false, closed_ = false, disk_broken_ = false;
  po::Kind expunge_kind_ = po::Kind::kDone;
};

}  // namespace pop3d::test
