#include "deliver/lmtp/delivery.h"

#include <utility>

namespace lmtp_deliver {

using namespace po::messages;
using deliver::Connection;
using deliver::Failed;
using deliver::Finished;
using deliver::Outcome;
using deliver::Stage;
using po::Kind;
using Clock = std::chrono::steady_clock;

std::string mailbox_of(std::string_view login) {
  std::string name(login);
  bool is_dot_string = name.find("..") == std::string::npos && !name.ends_with('.');
  return is_dot_string ? name : "\"" + name + "\"";
}

static Outcome ours(const char* status, std::string words) {
  Outcome o;
  o.status = status;
  o.reply = std::move(words);
  return o;
}

/// A store writes Return-Path and Delivered-To itself, the latter with the login name.
static std::string trace_line(std::string_view address) {
  return "X-Original-To: " + std::string(address) + "\r\n";
}

static std::shared_ptr<const Job> job_for_client(const MaildropJob& job, std::uint64_t size) {
  auto out = std::make_shared<Job>();
  out->id = job.id;
  out->sender = job.sender;
  out->size = size;
  out->recipients.push_back({job.n, mailbox_of(job.login), 0, {}});
  return out;
}

Delivery::Delivery(Desk& desk, std::uint32_t serial, const std::shared_ptr<const MaildropJob>& job,
                   po::Fd file)
    : desk_(desk),
      serial_(serial),
      content_({job, &job->body}, job->size, std::move(file), trace_line(job->address)),
      job_(job_for_client(*job, content_.size())),
      eight_bit_(content_.has_8bit()),
      began_(Clock::now()) {}

// ---- to the store

void Delivery::use(Connection& connection) {
  connection_ = &connection;
  reused_ = true;
  connection.set_user(this);
  carry(connection);
}

void Delivery::on_ready(Connection& connection) {
  carry(connection);
}

void Delivery::carry(Connection& connection) {
  deliver::Mail mail;
  mail.job = job_;
  mail.recipients = {0};
  mail.eight_bit = eight_bit_;
  if (eight_bit_ && !connection.extensions().eight_bit) mail.parts = content_.parts();
  connection.carry(std::move(mail), content_);
}

// ---- what it came to

void Delivery::on_finished(Connection& connection, Finished& finished) {
  connection_ = nullptr;
  desk_.give_back(connection);
  Outcome outcome = ours("4.3.0", "the mail store said nothing of it");
  if (!finished.outcomes.empty()) outcome = std::move(finished.outcomes.front());
  complete(HopState::kServed, std::move(outcome));
}

void Delivery::on_failed(Connection&, Failed& failed) {
  connection_ = nullptr;
  bool reused = std::exchange(reused_, false);
  bool settled = !failed.outcomes.empty();
  Outcome outcome = settled ? std::move(failed.outcomes.front()) : std::move(failed.why);
  if (settled) return complete(HopState::kServed, std::move(outcome));
  if (stopped_) return complete(stopped_state_, *stopped_);
  if (failed.stage != Stage::kSession) return complete(HopState::kServed, std::move(outcome));
  if (reused) return desk_.wait_again(*this);
  complete(turned_away(), std::move(outcome));
}

/// What one message learns of a store that is not there, or does not want us, spares the others the attempt.
HopState Delivery::turned_away() const {
  return desk_.store_works() ? HopState::kBusy : HopState::kUnavailable;
}

void Delivery::fail(const std::string& why) {
  complete(turned_away(), ours("4.4.1", why));
}

void Delivery::complete(HopState state, Outcome outcome) {
  if (std::exchange(completed_, true)) return;
  JobDone done;
  done.id = job_->id;
  done.hop = state;
  outcome.n = job_->recipients.front().n;
  done.outcomes.push_back(std::move(outcome));
  desk_.on_done(*this, done);
}

void Delivery::stop(const char* status, const std::string& why, bool may_wait) {
  if (completed_) return;
  stopped_ = ours(status, why);
  if (connection_ == nullptr) return complete(stopped_state_, *stopped_);
  if (may_wait && connection_->end_sent()) return;
  connection_->abort(*stopped_);
}

/// A store that kept us until our time was over is not one that works.
void Delivery::tick(deliver::Moment now) {
  if (completed_ || now - began_ < kLimit) return;
  stopped_state_ = turned_away();
  stop("4.4.2", "the mail store took too long", false);
}

}  // namespace lmtp_deliver
