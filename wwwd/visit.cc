#include "wwwd/visit.h"

#include <fmt/format.h>

#include "lib/text.h"
#include "wwwd/log_in.h"
#include "wwwd/words.h"

namespace wwwd {

using namespace po::messages;

std::string session_cookie_name(bool https) {
  return https ? "__Host-post.office" : "post.office";
}

static std::string said_cookie_name(bool https) {
  return session_cookie_name(https) + "-said";
}

std::uint64_t Visit::number(std::size_t n) const {
  return parse_number(part(n)).value_or(0);
}

// ---- who asks

static std::string_view unless_too_long(std::string_view token) {
  return token.size() <= kMostToken ? token : std::string_view();
}

std::string_view Visit::token() const {
  return token_.empty() ? unless_too_long(request().cookie(session_cookie_name(request().https))) : token_;
}

void Visit::adopt_token(std::string token) {
  token_ = std::move(token);
  cookies_.push_back(
      {.name = session_cookie_name(request().https), .value = token_, .secure = request().https});
}

WebCaller Visit::caller() const {
  return {std::string(token()), request().client,
          request().post() ? std::string(unless_too_long(field("seal"))) : std::string()};
}

void Visit::know(std::function<void()> then) {
  if (token().empty()) return ask_log_in();
  ask<WebLook>({}, [self = shared_from_this(), then = std::move(then)](WebSession& session) {
    self->viewer_ = {session.account, session.address, session.name, session.postmaster, session.seal};
    self->known_ = true;
    self->exchange_->set_account(session.address);
    then();
  });
}

bool Visit::accept_standing(WebStanding standing, std::string_view text) {
  switch (standing) {
    case WebStanding::kGood:
      return true;
    case WebStanding::kNobody:
      known_ = false;
      ask_log_in();
      return false;
    case WebStanding::kNotAllowed:
      refuse_user();
      return false;
    case WebStanding::kForged:
      refuse(
          403, "This page was out of date",
          "Nothing was done, because the form that was sent belongs to another log-in than yours. Go back, "
          "load the page again, and send it once more.");
      return false;
    case WebStanding::kUnavailable:
      break;
  }
  refuse(503, "Not possible just now",
         text.empty()
             ? "The part of the mail system that would do this is starting or busy. Try again in a moment."
             : text);
  return false;
}

void Visit::ask_log_in() {
  bool over = !request().cookie(session_cookie_name(request().https)).empty();
  if (request().post()) return show(log_in_page(log_in_again(request(), found_.route->resumes)));
  if (request().path == "/" && !over) return see_other("/log-in");
  show(log_in_page(log_in_first(request(), over)));
}

// ---- questions

void Printed::add(const CommandOutput& piece) {
  std::size_t size = out.size() + piece.out.size() + err.size() + piece.err.size();
  cut = cut || size > kMostPrinted;
  if (!cut) {
    out += piece.out;
    err += piece.err;
  }
  if (piece.end) exit_code = piece.exit_code;
}

void Visit::collect(Role role, std::vector<std::string> words, std::function<void(Printed&)> then) {
  WebAskOrder question;
  question.words = std::move(words);
  ask<WebAskOrder>(std::move(question),
                   [self = shared_from_this(), role, then = std::move(then)](WebOrder& order) {
                     self->carry_out(role, std::move(order.order), then);
                   });
}

void Visit::collect_command(std::vector<std::string> words, std::string input,
                            std::function<void(Printed&)> then) {
  WebCommand question;
  question.caller = caller();
  question.words = std::move(words);
  question.input = std::move(input);
  auto serial = std::make_shared<std::uint32_t>(0);
  auto on_output =
      gather(pipes_, serial, [self = shared_from_this(), then = std::move(then)](Printed& p) { then(p); });
  *serial = pipes_.command(std::move(question), std::move(on_output));
}

Pipes::OnOutput Visit::gather(Pipes& pipes, std::shared_ptr<const std::uint32_t> serial,
                              std::function<void(Printed&)> then) {
  auto printed = std::make_shared<Printed>();
  return [&pipes, serial = std::move(serial), printed, then = std::move(then)](const CommandOutput& piece) {
    printed->add(piece);
    if (!piece.end) return pipes.more_output(*serial);
    then(*printed);
  };
}

void Visit::carry_out(Role role, std::string order, std::function<void(Printed&)> then) {
  struct Running {
    Printed printed;
    std::uint32_t serial = 0;
    bool over = false;
  };
  bool to_its_end = request().post();
  if (!to_its_end && exchange_->done()) return;
  auto running = std::make_shared<Running>();
  auto give_up = [&pipes = pipes_, role, running] {
    if (!std::exchange(running->over, true)) pipes.abandon(role, running->serial);
  };
  auto on_output = [self = shared_from_this(), running, to_its_end, give_up,
                    then = std::move(then)](const CommandOutput& piece) {
    running->printed.add(piece);
    if (piece.end) {
      running->over = true;
    } else if (running->printed.cut && !to_its_end) {
      give_up();
    } else {
      return;
    }
    then(running->printed);
  };
  running->serial = pipes_.carry_out(role, std::move(order), std::move(on_output));
  if (!to_its_end) exchange_->on_done(give_up);
}

// ---- the answer

void Visit::answer(Response response) {
  for (Cookie& cookie : cookies_) response.cookies.push_back(std::move(cookie));
  cookies_.clear();
  exchange_->answer(std::move(response));
}

void Visit::show(Page page) {
  Response response;
  response.status = page.status;
  take_said(page, response);
  response.body = render_page(page, known_ ? &viewer_ : nullptr, host_);
  answer(std::move(response));
}

void Visit::refuse(int status, std::string_view title, std::string_view text) {
  Page page;
  page.title = title;
  page.status = status;
  page.body.element("p", text);
  show(std::move(page));
}

void Visit::refuse_user() {
  refuse(403, "Not for this account",
         fmt::format("{} may not see or do this. A Postmaster can.", viewer_.address));
}

void Visit::not_found() {
  refuse(404, "Not here", "There is no such page, or what it was about has been removed.");
}

void Visit::open_form(Html& h, std::string_view action,
                      const std::vector<std::pair<std::string, std::string>>& hidden) const {
  h.open("form", {{"method", "post"}, {"action", action}, {"novalidate", true}});
  h.empty("input", {{"type", "hidden"}, {"name", "seal"}, {"value", viewer_.seal}});
  for (const auto& [name, value] : hidden)
    h.empty("input", {{"type", "hidden"}, {"name", name}, {"value", value}});
}

// ---- what the page before says

// In a cookie: any worker may have to say it, and an address with the sentence in it would let anybody put
// words into our mouth by a link.
static constexpr std::string_view kToneLetters = "dnwp";
static constexpr std::size_t kMostSaid = 600;

void Visit::see_other(std::string_view path, std::string_view said, Tone tone) {
  Response response;
  response.status = 303;
  response.location = path;
  if (!said.empty()) {
    std::string text = kToneLetters[static_cast<std::size_t>(tone)] + shortened(said, kMostSaid);
    response.cookies.push_back({.name = said_cookie_name(request().https),
                                .value = po::base64_encode(text),
                                .secure = request().https,
                                .max_age = std::chrono::seconds(60)});
  }
  answer(std::move(response));
}

void Visit::take_said(Page& page, Response& response) const {
  std::string name = said_cookie_name(request().https);
  auto text = po::base64_decode(request().cookie(name));
  if (!text || text->size() < 2 || !po::is_utf8(*text)) return;
  std::size_t tone = kToneLetters.find((*text)[0]);
  if (tone == std::string_view::npos) return;
  page.notices.insert(page.notices.begin(), Notice{static_cast<Tone>(tone), text->substr(1), {}});
  response.cookies.push_back(
      {.name = name, .value = "", .secure = request().https, .max_age = std::chrono::seconds(0)});
}

}  // namespace wwwd
