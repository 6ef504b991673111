// ETRN (RFC 1985) and QSND: a client that was not there asks for what is held for it.
#include "smtpd/session.h"

namespace smtpd {

void Session::etrn(std::string_view argument, Actions& actions) {
  by_etrn_ = true;
  start_queue(argument, actions);
}

void Session::qsnd(std::string_view argument, Actions& actions) {
  by_etrn_ = false;
  start_queue(argument, actions);
}

void Session::start_queue(std::string_view argument, Actions& actions) {
  if (submission()) return fail(replies::kNotBuilt, actions);
  if (transaction_) return fail(replies::kWithinMail, actions);
  auto parsed = parse_start(argument);
  if (!parsed) return fail(parsed.error(), actions);
  start_ = std::move(*parsed);
  judge_start(actions);
}

/// Who has an account may start anything: at worst, mail is tried a little sooner than planned.
void Session::judge_start(Actions& actions) {
  const QueueStartPermissions& permissions = world_.queue_start_permissions();
  bool known = account_ != 0 || name_known_;
  if (!known && permissions.needs_name(start_.domain, client_.address)) {
    wait_ = Wait::kNameForStart;
    actions.emplace_back(AskName{});
    return;
  }
  if (account_ == 0 && !permissions.allows(start_.domain, client_.address, client_name_)) {
    conduct_.error();
    return by_etrn_
               ? refuse_start({459, "4.7.1", "Node " + start_.domain + " not allowed: ask its Postmaster"},
                              actions)
               : refuse_start({550, "5.7.1", "You may not start the queue for " + start_.domain}, actions);
  }
  if (!world_.queue_ready()) {
    wait_ = Wait::kStarted;
    return on_started(false, 0, actions);
  }
  wait_ = Wait::kStarted;
  actions.emplace_back(StartQueue{start_.domain, start_.subdomains});
}

void Session::refuse_start(const Refusal& why, Actions& actions) {
  Report r = report(Report::Event::kStartRefused, why);
  r.recipient = start_.domain;
  actions.emplace_back(std::move(r));
  append_reply(reply_text(actions), why);
}

/// The replies of RFC 1985 5.3, and those of QSND for people.
static Refusal started_reply(bool by_etrn, const std::string& domain, std::uint64_t messages) {
  std::string n = std::to_string(messages);
  if (by_etrn && messages == 0) return {251, "2.0.0", "OK, no messages waiting for node " + domain};
  if (by_etrn) return {253, "2.0.0", "OK, " + n + " pending messages for node " + domain + " started"};
  if (messages == 0) return {250, "2.0.0", "No message waits for " + domain};
  return {250, "2.0.0", n + (messages == 1 ? " message for " : " messages for ") + domain + " started"};
}

void Session::on_started(bool known, std::uint64_t messages, Actions& actions) {
  if (wait_ != Wait::kStarted) return;
  wait_ = Wait::kNothing;
  if (known) {
    Refusal reply = started_reply(by_etrn_, start_.domain, messages);
    Report r = report(Report::Event::kQueueStarted, reply);
    r.recipient = start_.domain;
    actions.emplace_back(std::move(r));
    append_reply(reply_text(actions), reply);
  } else if (by_etrn_) {
    refuse_start({458, "4.3.0", "Unable to queue messages for node " + start_.domain}, actions);
  } else {
    refuse_start(replies::kUnavailable, actions);
  }
  settle(actions);
}

}  // namespace smtpd
