// One request on its way through the pages: what was asked, who asks, the questions to accounts, queue and
// story in his name, and the answer. Each question is asked with the token of the cookie and the client's
// address, and, when a form was sent, with the form's seal; what those three may do is for accounts to say.
// Refusals that are the same everywhere (not logged in, not allowed, a wrong seal, nobody there) are answered
// here, so a page sees good answers alone. Held by the callbacks of its questions. Callers: the page files.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wwwd/handler.h"
#include "wwwd/page.h"
#include "wwwd/pipes.h"
#include "wwwd/routes.h"

namespace wwwd {

/// What a command printed, whole.
struct Printed {
  std::string out, err;
  std::uint8_t exit_code = 0;  ///< as in CommandOutput
  bool cut = false;            ///< there was more than kMostPrinted

  void add(const po::messages::CommandOutput& piece);
};
inline constexpr std::size_t kMostPrinted = 4 << 20;

/// Tokens and seals have 43 octets. What a browser sends instead of one, and is longer than this, is none.
inline constexpr std::size_t kMostToken = 64;

class Visit : public std::enable_shared_from_this<Visit> {
 public:
  Visit(std::shared_ptr<Exchange> exchange, Pipes& pipes, std::string host, Routes::Found found)
      : exchange_(std::move(exchange)), pipes_(pipes), host_(std::move(host)), found_(std::move(found)) {}

  // ---- what was asked
  [[nodiscard]] const Request& request() const { return exchange_->request(); }
  [[nodiscard]] Exchange& exchange() { return *exchange_; }
  [[nodiscard]] const std::shared_ptr<Exchange>& shared_exchange() const { return exchange_; }
  /// The nth segment that stood for `:` or `*`, from 0.
  [[nodiscard]] const std::string& part(std::size_t n) const { return found_.parts.at(n); }
  /// The nth, that stood for `:`.
  [[nodiscard]] std::uint64_t number(std::size_t n) const;
  [[nodiscard]] std::string_view query(std::string_view name) const { return request().query.value(name); }
  [[nodiscard]] std::string_view field(std::string_view name) const { return request().form.value(name); }

  // ---- who asks
  /// Known before a page function is called, save on open routes.
  [[nodiscard]] const Viewer& viewer() const { return viewer_; }
  /// Asks accounts who it is, then calls back; answers the visit itself if it is nobody.
  void know(std::function<void()> then);
  /// The token from now on, with the cookie that keeps it.
  void adopt_token(std::string token);
  [[nodiscard]] std::string_view token() const;
  /// A form that was sent with a dead session, and is shown again after the log-in: nothing may be done yet.
  [[nodiscard]] bool resumed() const { return resumed_; }
  void set_resumed() { resumed_ = true; }

  // ---- questions
  /// `question.caller` is filled in here. `then` gets answers of good standing alone.
  template <class Q>
  void ask(Q question, std::function<void(typename AnswerTo<Q>::Type&)> then);
  /// A command for queue or story, sealed by accounts, then carried out; all that it prints at once. Not
  /// called for an order that accounts refuses: that is answered here. What a GET asks for ends when it is
  /// cut or nobody waits for it any more; what a form asks for is done to its end.
  void collect(po::messages::Role role, std::vector<std::string> words, std::function<void(Printed&)> then);
  /// A command that accounts runs itself; all that it prints at once.
  void collect_command(std::vector<std::string> words, std::string input, std::function<void(Printed&)> then);
  /// Puts the pieces of such a command together, asking for each, then calls back. `serial`: its number,
  /// there before the first piece.
  [[nodiscard]] static Pipes::OnOutput gather(Pipes& pipes, std::shared_ptr<const std::uint32_t> serial,
                                              std::function<void(Printed&)> then);
  [[nodiscard]] po::messages::WebCaller caller() const;
  [[nodiscard]] Pipes& pipes() { return pipes_; }

  // ---- the answer
  void show(Page page);
  /// After something was done: another page, which says `said` above its own part.
  void see_other(std::string_view path, std::string_view said = {}, Tone tone = Tone::kDone);
  /// A page that says one thing.
  void refuse(int status, std::string_view title, std::string_view text);
  void not_found();
  /// For who is logged in, but is no Postmaster.
  void refuse_user();
  /// The beginning of each form that changes something: <form>, the seal, what is hidden in it. The caller
  /// closes "form".
  void open_form(Html& h, std::string_view action,
                 const std::vector<std::pair<std::string, std::string>>& hidden = {}) const;
  /// Answers with whatever it is; the cookies of this visit are added.
  void answer(Response response);

 private:
  /// True if the page may go on.
  void carry_out(po::messages::Role role, std::string order, std::function<void(Printed&)> then);
  bool accept_standing(po::messages::WebStanding standing, std::string_view text);
  void ask_log_in();
  void take_said(Page& page, Response& response) const;

  std::shared_ptr<Exchange> exchange_;
  Pipes& pipes_;
  std::string host_;
  Routes::Found found_;
  Viewer viewer_;
  bool known_ = false;
  bool resumed_ = false;
  std::string token_;  ///< of a log-in that this request made; else the cookie says
  std::vector<Cookie> cookies_;
};

using VisitPtr = std::shared_ptr<Visit>;

/// What the pages' cookies are called: with the prefix that a browser takes from this very host alone
/// (draft-ietf-httpbis-rfc6265bis 4.1.3.2), which needs HTTPS.
[[nodiscard]] std::string session_cookie_name(bool https);

template <class Q>
void Visit::ask(Q question, std::function<void(typename AnswerTo<Q>::Type&)> then) {
  question.caller = caller();
  pipes_.ask<Q>(std::move(question), [self = shared_from_this(), then = std::move(then)](auto& answer) {
    std::string_view text;
    if constexpr (requires { answer.text; }) text = answer.text;
    if (self->accept_standing(answer.standing, text)) then(answer);
  });
}

}  // namespace wwwd
