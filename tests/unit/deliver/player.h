// Plays the client's half of an SMTP connection without a socket: gives what a server says, does at once what
// the client wants, and keeps what went out and what came of it as text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "deliver/smtp_client.h"
#include "lib/text.h"

namespace deliver::test {

inline po::messages::Job make_job(std::vector<std::string> recipients,
                                  std::string body = "Subject: x\r\n\r\nhi\r\n") {
  po::messages::Job job;
  job.sender = "a@b.example";
  for (std::size_t i = 0; i < recipients.size(); ++i)
    job.recipients.push_back({static_cast<std::uint32_t>(i), std::move(recipients[i]), 0, ""});
  job.size = body.size();
  job.body = std::move(body);
  return job;
}

class Player {
 public:
  explicit Player(Terms terms, po::messages::Job job = make_job({"x@y.example"}), std::size_t step = 0)
      : client(with_name(std::move(terms))),
        job_(std::make_shared<const po::messages::Job>(std::move(job))),
        step_(step) {}

  /// Whole, or in pieces of `step` octets.
  void say(std::string_view text) {
    std::size_t step = step_ == 0 ? text.size() : step_;
    while (!text.empty()) {
      std::string_view piece = text.substr(0, step);
      text.remove_prefix(piece.size());
      client.on_bytes(piece, actions_);
      perform();
    }
  }
  /// Line by line: a host that waits for what it answers.
  void talk(std::string_view text) {
    while (!text.empty()) {
      std::string_view line = text.substr(0, text.find('\n') + 1);
      text.remove_prefix(line.size());
      say(line);
    }
  }
  void close(std::string_view why = "end of file") {
    client.on_closed(why, actions_);
    perform();
  }
  void time_out() {
    client.on_timeout(actions_);
    perform();
  }
  void begin(std::vector<std::size_t> recipients = {}) {
    Mail mail;
    mail.job = job_;
    mail.recipients = std::move(recipients);
    for (std::size_t i = 0; mail.recipients.empty() || (all_ && i < job_->recipients.size()); ++i) {
      mail.recipients.push_back(i);
      all_ = true;
    }
    mail.eight_bit = !po::is_ascii(job_->body);
    mail.utf8_header = !po::is_ascii(std::string_view(job_->body).substr(0, job_->body.find("\r\n\r\n")));
    EightBitScan scan;
    scan.add(job_->body);
    mail.parts = scan.finish();
    all_ = false;
    client.begin(std::move(mail), actions_);
    perform();
  }
  void quit() {
    client.quit(actions_);
    perform();
  }
  /// What has come since the last time.
  std::string take() { return std::exchange(out, {}); }

  SmtpClient client;
  std::string out;
  bool give_body = true;  ///< else WantBody is only told
  bool auto_begin = true;
  std::size_t body_cut = 0;  ///< octets that cannot be read at the end

 private:
  static Terms with_name(Terms t) {
    if (t.helo.empty()) t.helo = "me.example";
    return t;
  }
  static const char* kind(po::Kind k) {
    return k == po::Kind::kDone ? "done" : k == po::Kind::kTemporary ? "temporary" : "permanent";
  }
  static std::string text(const Outcome& o) {
    return std::string(kind(o.kind)) + " " + o.status + (o.remote ? " theirs" : " ours");
  }
  void tell(const std::vector<Outcome>& outcomes, const std::vector<std::size_t>& left) {
    for (const Outcome& o : outcomes) out += " [" + std::to_string(o.n) + " " + text(o) + "]";
    for (std::size_t i : left) out += " [" + std::to_string(i) + " left]";
    out += "\n";
  }
  void perform() {
    if (performing_) return;
    performing_ = true;
    for (std::size_t i = 0; i < actions_.size(); ++i) {
      Action action = std::move(actions_[i]);
      perform_one(action);
    }
    actions_.clear();
    performing_ = false;
  }
  void perform_one(Action& action) {
    if (auto* w = std::get_if<Write>(&action)) {
      out += w->octets;
    } else if (std::holds_alternative<StartTls>(action)) {
      out += "(tls)\n";
      if (tls_works) client.on_tls(actions_);
    } else if (std::holds_alternative<Ready>(action)) {
      out += "(ready)\n";
      if (auto_begin) begin();
    } else if (std::holds_alternative<WantBody>(action)) {
      if (!give_body) {
        out += "(body?)\n";
        return;
      }
      std::string_view body = std::string_view(job_->body).substr(0, job_->body.size() - body_cut);
      client.body(body.substr(0, body.size() / 2), actions_);
      client.body(body.substr(body.size() / 2), actions_);
      client.body_end(actions_);
    } else if (auto* f = std::get_if<Finished>(&action)) {
      out += f->dsn ? "(finished, dsn)" : "(finished)";
      tell(f->outcomes, f->left);
    } else if (auto* failed = std::get_if<Failed>(&action)) {
      const char* stages[] = {"session", "envelope", "end"};
      why = failed->why;
      out += std::string("(failed in ") + stages[static_cast<int>(failed->stage)] + ": " + text(failed->why) +
             (failed->clear_may_do ? ", clear may do" : "") + ")";
      tell(failed->outcomes, failed->left);
    } else {
      out += "(close)\n";
    }
  }

 public:
  bool tls_works = true;
  Outcome why;  ///< of the last failure

 private:
  std::shared_ptr<const po::messages::Job> job_;
  std::size_t step_;
  bool all_ = false, performing_ = false;
  Actions actions_;
};

}  // namespace deliver::test
