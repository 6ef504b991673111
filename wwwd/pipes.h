// The pipes to accounts, queue and story, shared by all requests of this process: which answer is for whom,
// what is asked again on a new pipe, and how long a question waits for one. Those three are trusted for what
// they answer; a frame that nobody asked for drops the pipe. Who asks keeps what he needs inside his
// callback, which is called exactly once (for output of commands: once for each piece). Callers: Site
// (connects), Visit (asks).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "lib/channel.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/lost_pipe.h"
#include "lib/messages.h"
#include "lib/web_messages.h"

namespace wwwd {

/// What accounts answers to a question, and whether the question may be asked twice: what changes something
/// may not, because whether it was done when a pipe breaks nobody knows.
template <class Question>
struct AnswerTo;
template <class A, bool repeatable>
struct AnswerIs {
  using Type = A;
  static constexpr bool kRepeatable = repeatable;
};
template <>
struct AnswerTo<po::messages::WebLogIn> : AnswerIs<po::messages::WebLoggedIn, true> {};
template <>
struct AnswerTo<po::messages::WebLook> : AnswerIs<po::messages::WebSession, true> {};
template <>
struct AnswerTo<po::messages::WebLogOut> : AnswerIs<po::messages::WebDone, true> {};
template <>
struct AnswerTo<po::messages::WebShowForm> : AnswerIs<po::messages::WebForm, true> {};
template <>
struct AnswerTo<po::messages::WebSubmitForm> : AnswerIs<po::messages::WebDone, false> {};
template <>
struct AnswerTo<po::messages::WebAskHistory> : AnswerIs<po::messages::WebHistory, true> {};
template <>
struct AnswerTo<po::messages::WebUndo> : AnswerIs<po::messages::WebDone, false> {};
template <>
struct AnswerTo<po::messages::WebAskAccounts> : AnswerIs<po::messages::WebAccounts, true> {};
template <>
struct AnswerTo<po::messages::WebRemove> : AnswerIs<po::messages::WebDone, false> {};
template <>
struct AnswerTo<po::messages::WebAskAccess> : AnswerIs<po::messages::WebAccess, true> {};
template <>
struct AnswerTo<po::messages::WebMakePassword> : AnswerIs<po::messages::WebDone, false> {};
template <>
struct AnswerTo<po::messages::WebRevokePassword> : AnswerIs<po::messages::WebDone, false> {};
template <>
struct AnswerTo<po::messages::WebAskStatus> : AnswerIs<po::messages::WebStatus, true> {};
template <>
struct AnswerTo<po::messages::WebAskOrder> : AnswerIs<po::messages::WebOrder, true> {};

inline constexpr std::string_view kTooLongText = "What was sent is too long.";

class Pipes {
 public:
  /// How long a question waits for a module that is being started again.
  static constexpr std::chrono::seconds kPatience{5};
  /// A piece of what a command prints; the last one has `end`. When the pipe breaks or cannot be had, one
  /// with `end`, exit code 75 and a sentence in `err`; exit code 1 for a command over its bound.
  using OnOutput = std::function<void(const po::messages::CommandOutput&)>;

  Pipes(const po::Loop& loop, po::Log& log, std::chrono::milliseconds patience = kPatience);

  /// A new pipe; what was the pipe to that role is given up. Other roles than the three are passed over.
  void connect(po::messages::Role role, po::Fd fd);

  /// A question to accounts. `then` is called from the loop, never inside ask(). Without an answer, or if the
  /// question is over its bound and so cannot be sent, it gets one that says kUnavailable.
  template <class Q>
  void ask(Q question, std::function<void(typename AnswerTo<Q>::Type&)> then);

  /// A command that accounts runs itself. The number that comes back is for more_input(), if `more` was set,
  /// and for more_output(): without it no piece of the output comes behind the first.
  std::uint32_t command(po::messages::WebCommand question, OnOutput on_output);
  /// The next piece of that command's input. Nothing happens if the pipe broke meanwhile: on_output was told.
  void more_input(std::uint32_t serial, std::string input, bool more);
  /// The last piece of that command's output was taken, the next one may come.
  void more_output(std::uint32_t serial);
  /// Octets that are on their way to accounts: who has much to send waits while it is a lot.
  [[nodiscard]] std::size_t accounts_backlog() const;

  /// An order that accounts sealed, to queue or story.
  std::uint32_t carry_out(po::messages::Role role, std::string order, OnOutput on_output);
  /// Nobody waits for that order's or command's output any more, and no more input comes: on_output is called
  /// no more.
  void abandon(po::messages::Role role, std::uint32_t serial);

  [[nodiscard]] const po::Loop& loop() const { return loop_; }

  /// There will be no new pipe to one of them.
  [[nodiscard]] bool hopeless(std::chrono::steady_clock::time_point now) const;

 private:
  using Clock = std::chrono::steady_clock;
  enum class Lost : unsigned char {
    kWaiting,  ///< there was no pipe
    kSent,     ///< the pipe broke
    kTooLong,  ///< it was over its bound, and never sent
  };
  struct Question {
    bool repeatable = false;
    bool sent = false;
    bool too_long = false;
    /// Onto a new pipe.
    std::function<void(po::Channel&, std::uint32_t serial)> send;
    /// False for garbage. Sets `more` if further frames with this serial follow.
    std::function<bool(po::Frame&, bool& more)> answer;
    std::function<void(Lost why)> lost;
    Clock::time_point waiting_since = Clock::now();
  };
  using Questions = std::unordered_map<std::uint32_t, Question>;
  struct Line {
    po::messages::Role role = po::messages::Role::kAccounts;
    std::unique_ptr<po::Channel> channel;
    po::LostPipe lost;
    Questions questions;
  };

  [[nodiscard]] Line* line_to(po::messages::Role role);
  std::uint32_t put(Line& line, Question question);
  void expect_output(Question& question, OnOutput on_output);
  bool on_frame(Line& line, po::Frame& frame);
  void on_closed(Line& line, std::string_view why);
  void refuse_too_long();
  void wait_for_pipes();
  void give_up_waiting();

  const po::Loop& loop_;
  po::Log& log_;
  std::chrono::milliseconds patience_time_;
  Line lines_[3];
  std::uint32_t serial_ = 0;
  std::uint32_t answering_ = 0;  ///< the serial whose callback runs; 0: none
  bool abandoned_ = false;       ///< by that callback
  po::Event patience_, refuse_soon_;
};

template <class Q>
void Pipes::ask(Q question, std::function<void(typename AnswerTo<Q>::Type&)> then) {
  using A = typename AnswerTo<Q>::Type;
  auto callback = std::make_shared<decltype(then)>(std::move(then));
  Question q;
  q.repeatable = AnswerTo<Q>::kRepeatable;
  q.too_long = !po::fits(question);
  q.send = [question = std::move(question)](po::Channel& channel, std::uint32_t serial) {
    channel.send(serial, question);
  };
  q.answer = [callback](po::Frame& frame, bool&) {
    A answer;
    if (!frame.decode(answer)) return false;
    (*callback)(answer);
    return true;
  };
  q.lost = [callback](Lost why) {
    A answer;
    if constexpr (requires { answer.standing; }) answer.standing = po::messages::WebStanding::kUnavailable;
    if constexpr (requires { answer.text; }) {
      if (why == Lost::kTooLong) answer.text = kTooLongText;
      if (why == Lost::kSent && !AnswerTo<Q>::kRepeatable)
        answer.text = "Contact was lost while this was being done. Look whether it was, before trying again.";
    }
    (*callback)(answer);
  };
  put(lines_[0], std::move(q));
}

}  // namespace wwwd
