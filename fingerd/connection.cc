#include "fingerd/connection.h"

#include <utility>

#include "fingerd/answer.h"
#include "lib/net_address.h"

namespace fingerd {

Connection::Connection(const Surroundings& surroundings, Client client, std::shared_ptr<const Access> access,
                       std::shared_ptr<const directory::Settings> settings, po::Fd socket, OnGone on_gone)
    : around_(surroundings),
      client_(std::move(client)),
      settings_(std::move(settings)),
      on_gone_(std::move(on_gone)),
      session_(client_.address, std::move(access)),
      stream_(around_.loop, std::move(socket), *this) {
  time_limit_.after(around_.loop, kQueryLimit, [this] { on_time_limit(); });
}

void Connection::stop() {
  perform(session_.on_stop());
}

// ---- events

std::size_t Connection::on_input(std::string_view input) {
  perform(session_.on_input(input));
  return input.size();
}

void Connection::on_end_of_input() {
  perform(session_.on_end_of_input());
}

void Connection::on_time_limit() {
  if (session_.over()) return stream_.close();
  perform(session_.on_timeout());
}

void Connection::on_closed(std::string_view) {
  if (!session_.over()) log("gone", 0);
  OnGone on_gone = std::move(on_gone_);
  on_gone(client_.number);
}

// ---- actions

void Connection::perform(const Action& action) {
  std::visit([this](const auto& a) { act(a); }, action);
}

// A client that has closed its half waits for the answer all the same: only a paused stream keeps it.
void Connection::act(const LookUpName&) {
  stream_.pause_reading();
  time_limit_.after(around_.loop, kQueryLimit);
  name_question_ =
      around_.resolver.confirmed_name(client_.address, [this](po::DnsStatus status, const std::string& name) {
        perform(status == po::DnsStatus::kTemporary ? session_.on_no_name() : session_.on_name(name));
      });
}

void Connection::act(const FindAnswer&) {
  Answer answer = around_.desk.answer(session_.query(), *settings_);
  ++(answer.given ? around_.totals.answered : around_.totals.failures);
  log(answer.outcome, answer.account);
  end(answer.text);
}

void Connection::act(const Refuse& action) {
  ++around_.totals.failures;
  log(action.outcome, 0);
  end(action.sentence.empty() ? std::string() : line_text(action.sentence));
}

void Connection::end(std::string_view text) {
  name_question_.cancel();
  stream_.write(text);
  stream_.close_after_flush();
  time_limit_.after(around_.loop, kAnswerLimit);
}

void Connection::log(const char* outcome, std::uint64_t account) {
  po::LogLine line = around_.log.event("finger");
  line.kv("session", client_.session)
      .kv("client", po::address_text(client_.address))
      .kv("query", session_.line())
      .kv("outcome", outcome);
  if (account != 0) line.kv("account", account);
}

}  // namespace fingerd
