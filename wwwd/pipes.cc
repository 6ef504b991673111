#include "wwwd/pipes.h"

#include <utility>
#include <vector>

namespace wwwd {

using namespace po::messages;

Pipes::Pipes(const po::Loop& loop, po::Log& log, std::chrono::milliseconds patience)
    : loop_(loop), log_(log), patience_time_(patience) {
  lines_[0].role = Role::kAccounts;
  lines_[1].role = Role::kQueue;
  lines_[2].role = Role::kStory;
}

Pipes::Line* Pipes::line_to(Role role) {
  for (Line& line : lines_)
    if (line.role == role) return &line;
  return nullptr;
}

void Pipes::connect(Role role, po::Fd fd) {
  Line* line = line_to(role);
  if (line == nullptr) return;
  if (line->channel) on_closed(*line, "replaced");
  line->channel = std::make_unique<po::Channel>(
      loop_, std::move(fd), [this, line](po::Frame& f) { return on_frame(*line, f); },
      [this, line](std::string_view why) { on_closed(*line, why); });
  line->lost.back();
  for (auto& [serial, question] : line->questions) {
    if (question.too_long) continue;
    question.send(*line->channel, serial);
    question.sent = true;
  }
}

// ---- questions

std::uint32_t Pipes::put(Line& line, Question question) {
  std::uint32_t serial = ++serial_;
  Question& kept = line.questions[serial] = std::move(question);
  if (kept.too_long) {
    refuse_soon_.soon(loop_, [this] { refuse_too_long(); });
  } else if (line.channel) {
    kept.send(*line.channel, serial);
    kept.sent = true;
  } else {
    wait_for_pipes();
  }
  return serial;
}

void Pipes::refuse_too_long() {
  std::vector<Question> refused;
  for (Line& line : lines_)
    std::erase_if(line.questions, [&](auto& entry) {
      bool refuse = entry.second.too_long;
      if (refuse) refused.push_back(std::move(entry.second));
      return refuse;
    });
  for (Question& question : refused) question.lost(Lost::kTooLong);
}

void Pipes::expect_output(Question& question, OnOutput on_output) {
  auto callback = std::make_shared<OnOutput>(std::move(on_output));
  question.answer = [callback](po::Frame& frame, bool& more) {
    CommandOutput output;
    if (!frame.decode(output)) return false;
    more = !output.end;
    (*callback)(output);
    return true;
  };
  question.lost = [callback](Lost why) {
    CommandOutput output;
    output.err = why == Lost::kTooLong ? std::string(kTooLongText) + "\n"
                 : why == Lost::kSent  ? "Contact was lost before all of it was done.\n"
                                       : "The mail system is starting anew.\n";
    output.exit_code = why == Lost::kTooLong ? 1 : 75;
    (*callback)(output);
  };
}

std::uint32_t Pipes::command(WebCommand question, OnOutput on_output) {
  Question q;
  expect_output(q, std::move(on_output));
  q.too_long = !po::fits(question);
  q.send = [question = std::move(question)](po::Channel& channel, std::uint32_t serial) {
    channel.send(serial, question);
  };
  return put(lines_[0], std::move(q));
}

void Pipes::more_input(std::uint32_t serial, std::string input, bool more) {
  Line& line = lines_[0];
  if (!line.channel || !line.questions.contains(serial)) return;
  WebCommand piece;
  piece.input = std::move(input);
  piece.more = more;
  line.channel->send(serial, piece);
}

void Pipes::more_output(std::uint32_t serial) {
  if (lines_[0].channel) lines_[0].channel->send(serial, WebMoreOutput{});
}

std::size_t Pipes::accounts_backlog() const {
  return lines_[0].channel ? lines_[0].channel->backlog() : 0;
}

std::uint32_t Pipes::carry_out(Role role, std::string order, OnOutput on_output) {
  Line* line = line_to(role);
  Question q;
  expect_output(q, std::move(on_output));
  q.send = [order = std::move(order)](po::Channel& channel, std::uint32_t serial) {
    channel.send(serial, CarryOut{order});
  };
  return put(*line, std::move(q));
}

void Pipes::abandon(Role role, std::uint32_t serial) {
  Line* line = line_to(role);
  if (serial == answering_) {
    abandoned_ = true;
    if (line->channel) line->channel->send(serial, Abandon{});
    return;
  }
  auto found = line->questions.find(serial);
  if (found == line->questions.end()) {
    // Answered before its input had come to an end, which the other side still waits for.
    if (line->channel) line->channel->send(serial, Abandon{});
    return;
  }
  if (!found->second.sent) {
    line->questions.erase(found);
    return;
  }
  // The serial stays known, or what is on its way would be taken for garbage.
  expect_output(found->second, [](const CommandOutput&) {});
  if (line->channel) line->channel->send(serial, Abandon{});
}

// ---- answers

bool Pipes::on_frame(Line& line, po::Frame& frame) {
  auto found = line.questions.find(frame.serial);
  if (found == line.questions.end()) return false;
  // Out of the map during the call: the callback may ask, and so move what is in there.
  auto node = line.questions.extract(found);
  bool more = false;
  answering_ = node.key();
  abandoned_ = false;
  bool good = node.mapped().answer(frame, more);
  answering_ = 0;
  if (!good) {
    node.mapped().lost(Lost::kSent);
    return false;
  }
  if (more && abandoned_) expect_output(node.mapped(), [](const CommandOutput&) {});
  if (more) line.questions.insert(std::move(node));
  return true;
}

// ---- broken pipes

void Pipes::on_closed(Line& line, std::string_view why) {
  log_.event("pipe-closed").kv("peer", role_name(line.role)).kv("why", why);
  line.channel.reset();
  line.lost.lost();
  std::vector<Question> gone;
  for (auto at = line.questions.begin(); at != line.questions.end();) {
    Question& question = at->second;
    question.waiting_since = Clock::now();
    if (!question.sent || question.repeatable) {
      question.sent = false;
      ++at;
    } else {
      gone.push_back(std::move(question));
      at = line.questions.erase(at);
    }
  }
  for (Question& question : gone) question.lost(Lost::kSent);
  wait_for_pipes();
}

bool Pipes::hopeless(Clock::time_point now) const {
  for (const Line& line : lines_)
    if (line.lost.hopeless(now)) return true;
  return false;
}

void Pipes::wait_for_pipes() {
  if (patience_.pending()) return;
  bool waiting = false;
  for (const Line& line : lines_) waiting = waiting || (!line.channel && !line.questions.empty());
  if (waiting) patience_.after(loop_, patience_time_ / 10, [this] { give_up_waiting(); });
}

void Pipes::give_up_waiting() {
  auto longest = Clock::now() - patience_time_;
  std::vector<Question> gone;
  for (Line& line : lines_) {
    if (line.channel) continue;
    std::erase_if(line.questions, [&](auto& entry) {
      bool over = entry.second.waiting_since <= longest;
      if (over) gone.push_back(std::move(entry.second));
      return over;
    });
  }
  for (Question& question : gone) question.lost(Lost::kWaiting);
  wait_for_pipes();
}

}  // namespace wwwd
