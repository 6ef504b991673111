#include "wwwd/import_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "lib/stream.h"
#include "wwwd/command_answer.h"
#include "wwwd/form_visit.h"
#include "wwwd/multipart.h"
#include "wwwd/visit.h"
#include "wwwd/words.h"

namespace wwwd {

using namespace po::messages;

namespace {

constexpr std::size_t kMostEffects = 100;         // shown one by one
constexpr std::size_t kMostEffectsSize = 32'000;  // octets of HTML
constexpr std::size_t kMostShownAgain = 16 * 1024;
constexpr std::size_t kMostProblems = 100;
constexpr std::size_t kHighBacklog = 1 << 20, kLowBacklog = 256 << 10;
constexpr std::chrono::milliseconds kLookAgain{10};

std::vector<std::string> texts_of(const Json& list) {
  std::vector<std::string> out;
  for (const Json& item : list.items()) out.push_back(shortened(item.text(), 400));
  return out;
}

std::vector<WebRevision::Line> lines_of(const Json& changes) {
  std::vector<WebRevision::Line> out;
  for (const Json& c : changes.items())
    out.push_back({shortened(c["field"].text(), 100), texts_of(c["before"]), texts_of(c["after"])});
  return out;
}

/// "2 new accounts, 1 changed account." What is as it should be is said last.
std::string counts_text(const Json& report) {
  struct Count {
    std::string_view name, one;
  };
  std::string out;
  for (const Count& c :
       {Count{"added", "new account"}, {"changed", "changed account"}, {"forms", "changed form"}}) {
    if (report[c.name].count() == 0) continue;
    out += (out.empty() ? "" : ", ") + count_of(report[c.name].count(), c.one);
  }
  if (out.empty()) out = "No change";
  std::uint64_t same = report["same"].count();
  return same == 0 ? out + "."
                   : fmt::format("{}; {} as the forms have {}.", out, count_of(same, "account"),
                                 same == 1 ? "it" : "them");
}

bool changes_anything(const Json& report) {
  return report["added"].count() + report["changed"].count() + report["forms"].count() > 0;
}

}  // namespace

void write_import_effects(Html& h, const Json& report) {
  h.open("p").element("strong", counts_text(report)).close("p");
  const auto& effects = report["effects"].items();
  std::size_t shown = 0, begin = h.size();
  h.open("ul", {{"class", "revisions"}});
  for (const Json& effect : effects) {
    if (shown == kMostEffects || h.size() - begin > kMostEffectsSize) break;
    h.open("li", {{"class", "revision"}}).element("strong", shortened(effect["form"].text(), 300));
    write_changes(h, lines_of(effect["changes"]));
    h.close("li");
    ++shown;
  }
  h.close("ul");
  std::uint64_t all = report["added"].count() + report["changed"].count() + report["forms"].count();
  if (all > shown) h.element("p", {{"class", "hint"}}, fmt::format("and {} more", count_text(all - shown)));
}

// ---- the page

namespace {

void write_form(Html& h, const Visit& visit, std::string_view pasted, bool previewed) {
  h.open(
      "form",
      {{"method", "post"}, {"action", "/import"}, {"enctype", "multipart/form-data"}, {"class", "import"}});
  h.empty("input", {{"type", "hidden"}, {"name", "seal"}, {"value", visit.viewer().seal}});
  h.open("div", {{"class", "stacked"}}).element("label", {{"for", "forms"}}, "Forms");
  // The parser of HTML drops a line end that stands first.
  h.open("textarea", {{"id", "forms"},
                      {"name", "forms"},
                      {"rows", 14},
                      {"spellcheck", "false"},
                      {"class", "entries wide"},
                      {"aria-describedby", "forms-hint"}});
  h.text("\n").text(pasted).close("textarea");
  h.element("p", {{"class", "hint"}, {"id", "forms-hint"}},
            "As the export has them: each begins with its heading, such as ===== Account Data =====. An "
            "account with a "
            "new address is added; one that is there is changed, in the fields that its form has.");
  h.close("div")
      .open("div", {{"class", "stacked"}})
      .element("label", {{"for", "file"}}, "and a file of forms");
  h.empty("input", {{"type", "file"},
                    {"id", "file"},
                    {"name", "file"},
                    {"accept", ".forms,.txt,text/plain"},
                    {"aria-describedby", "file-hint"}});
  h.element("p", {{"class", "hint"}, {"id", "file-hint"}},
            previewed ? "Was it a file that you looked at? Choose it again: it was read, not kept."
                      : "Of up to 256 MiB. It is read, not kept.");
  h.close("div").open("div", {{"class", "acts"}}).open("div", {{"class", "buttons"}});
  h.element("button", {{"type", "submit"}, {"class", previewed ? "normal" : "primary"}},
            "Show what would change");
  if (previewed)
    h.element("button", {{"type", "submit"}, {"class", "primary"}, {"formaction", "/import/do"}}, "Import");
  h.close("div").close("div").close("form");
}

void write_export(Html& h) {
  h.element("h2", "Export");
  h.element("p",
            "All forms of the system and all accounts in one file: a backup, or a beginning for an import "
            "elsewhere.");
  h.open("div", {{"class", "buttons"}});
  h.element("a", {{"href", "/export"}, {"class", "button"}, {"download", true}}, "Export");
  h.close("div");
  h.element("p", {{"class", "hint"}},
            "Without passwords: those are for root, by post.office export --passwords.");
}

Page begin_page() {
  Page page;
  page.title = "Import and export";
  page.place = "/import";
  return page;
}

void import_page(const VisitPtr& visit) {
  if (!visit->viewer().postmaster) return visit->refuse_user();
  Page page = begin_page();
  page.body.element("p", {{"class", "lead"}},
                    "Many accounts, or the system's settings, at once. What would change is shown first.");
  write_form(page.body, *visit, "", false);
  write_export(page.body);
  visit->show(std::move(page));
}

// ---- what came of it

/// What the command says is wrong, line by line: it names the line of the file.
Notice refusal_notice(const Printed& printed) {
  Notice notice{Tone::kProblem, "Nothing was imported", {}};
  std::string_view rest = printed.err;
  std::size_t lines = 0;
  notice.more.open("ul");
  while (!rest.empty() && lines++ < kMostProblems) {
    auto end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    if (!line.empty() && line != "nothing was imported") notice.more.element("li", shortened(line, 300));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  notice.more.close("ul");
  return notice;
}

struct Sent {
  bool doing = false;        ///< else what would change is shown
  std::string pasted;        ///< to be shown again
  bool pasted_whole = true;  ///< it was short enough for that
};

void show_result(const VisitPtr& visit, const Sent& sent, const Printed& printed) {
  Json report = json_of(printed);
  bool good = printed.exit_code == 0 && !report.is_null();
  if (good && sent.doing)
    return visit->see_other("/import", changes_anything(report)
                                           ? "Imported: " + counts_text(report)
                                           : "Nothing was changed: all is as these forms have it.");
  if (printed.exit_code == 77) return visit->refuse(403, "Nothing was imported", failure_text(printed));
  Page page = begin_page();
  bool previewed = good && changes_anything(report);
  if (good) {
    page.body.element("h2", {{"class", "first"}}, previewed ? "What would change" : "Nothing would change");
    write_import_effects(page.body, report);
  } else {
    page.status = printed.exit_code == 75 ? 503 : 422;
    page.notices.push_back(refusal_notice(printed));
  }
  if (!sent.pasted_whole)
    page.notices.push_back(
        {Tone::kNote, "What you pasted is too long to be shown again: paste it again, or take a file", {}});
  write_form(page.body, *visit, sent.pasted_whole ? sent.pasted : "", previewed);
  visit->show(std::move(page));
}

// ---- the body

/// Reads the form as it comes and passes its text on. The seal stands before the text, as in our own page.
class ImportSink final : public BodySink {
 public:
  ImportSink(VisitPtr visit, std::string_view boundary, bool doing)
      : visit_(std::move(visit)),
        reader_(boundary, {[this](std::string_view name, bool) { begin_part(name); },
                           [this](std::string_view piece) { take(piece); }}) {
    sent_->doing = doing;
  }
  ~ImportSink() override {
    if (serial_ != 0 && !over_) visit_->pipes().abandon(Role::kAccounts, serial_);
  }

  void on_body(std::string_view piece) override {
    if (bad_) return;
    if (!reader_.feed(piece)) return refuse("It is no form of this page.");
    flush();
    wait_for_accounts();
  }

  void on_body_end() override {
    if (bad_) return;
    if (!reader_.finished()) return refuse("The form was cut off.");
    flush();
    begin();  // no text at all is for the command to refuse
    over_ = true;
    visit_->pipes().more_input(serial_, "", false);
  }

 private:
  enum class Part : unsigned char { kOther, kSeal, kForms, kFile };

  void begin_part(std::string_view name) {
    part_ = name == "seal"    ? Part::kSeal
            : name == "forms" ? Part::kForms
            : name == "file"  ? Part::kFile
                              : Part::kOther;
    // The file begins a line of its own.
    if (part_ == Part::kFile && any_text_) text_ += '\n';
  }

  void take(std::string_view piece) {
    if (part_ == Part::kSeal && seal_.size() + piece.size() <= kMostToken) seal_ += piece;
    if (part_ == Part::kForms) keep_pasted(piece);
    if (part_ != Part::kForms && part_ != Part::kFile) return;
    any_text_ = true;
    // A browser ends the lines of a text area with CR LF, and so may whoever wrote the file.
    for (char c : piece)
      if (c != '\r') text_ += c;
  }

  void keep_pasted(std::string_view piece) {
    sent_->pasted_whole = sent_->pasted_whole && sent_->pasted.size() + piece.size() <= kMostShownAgain;
    if (!sent_->pasted_whole) return sent_->pasted.clear();
    for (char c : piece)
      if (c != '\r') sent_->pasted += c;
  }

  void flush() {
    if (text_.empty()) return;
    begin();
    visit_->pipes().more_input(serial_, std::exchange(text_, {}), true);
  }

  void begin() {
    if (serial_ != 0) return;
    WebCommand command;
    command.caller = visit_->caller();
    command.caller.seal = seal_;
    command.words = {"import", sent_->doing ? "--yes" : "--dry-run", "--json"};
    command.more = true;
    auto serial = std::make_shared<std::uint32_t>(0);
    serial_ = *serial = visit_->pipes().command(std::move(command), gather(serial));
  }

  /// Passwords in clear text are hashed one by one, which may take minutes for many accounts.
  [[nodiscard]] Pipes::OnOutput gather(std::shared_ptr<const std::uint32_t> serial) const {
    auto patience = std::make_shared<po::Event>();
    patience->every(visit_->pipes().loop(), Exchange::kAnswerLimit / 2,
                    [exchange = visit_->shared_exchange()] { exchange->wait_longer(); });
    auto then = [visit = visit_, sent = sent_, patience](Printed& printed) {
      patience->cancel();
      show_result(visit, *sent, printed);
    };
    return Visit::gather(visit_->pipes(), std::move(serial), std::move(then));
  }

  void refuse(std::string_view text) {
    bad_ = true;
    visit_->refuse(400, "Nothing was imported", text);
  }

  void wait_for_accounts() {
    if (visit_->pipes().accounts_backlog() < kHighBacklog) return;
    visit_->exchange().pause_body();
    look_again();
  }
  void look_again() {
    again_.after(visit_->pipes().loop(), kLookAgain, [this] {
      if (visit_->pipes().accounts_backlog() > kLowBacklog) return look_again();
      visit_->exchange().resume_body();
    });
  }

  VisitPtr visit_;
  std::shared_ptr<Sent> sent_ = std::make_shared<Sent>();
  MultipartReader reader_;
  Part part_ = Part::kOther;
  std::string seal_, text_;
  std::uint32_t serial_ = 0;
  bool any_text_ = false, bad_ = false, over_ = false;
  po::Event again_;
};

/// Refuses what is no such form before its body comes.
std::unique_ptr<BodySink> take_body(const VisitPtr& visit, bool doing) {
  auto boundary = multipart_boundary(visit->request().field("content-type"));
  if (!boundary) {
    visit->refuse(415, "Nothing was imported",
                  "An import is sent as multipart/form-data, by this page's form.");
    return nullptr;
  }
  auto sink = std::make_unique<ImportSink>(visit, *boundary, doing);
  // Who it is must be known before the answer is shown; the body waits for that.
  visit->exchange().pause_body();
  visit->know([visit] { visit->exchange().resume_body(); });
  return sink;
}

// ---- export

/// Asks for a piece when the client has taken most of the last one, so a slow client costs neither memory
/// here nor the others their pipe; one that has gone ends the command.
class Export : public std::enable_shared_from_this<Export> {
 public:
  explicit Export(VisitPtr visit) : visit_(std::move(visit)) {}

  void start() {
    WebCommand command;
    command.caller = visit_->caller();
    command.words = {"export"};
    Pipes& pipes = visit_->pipes();
    serial_ = pipes.command(std::move(command),
                            [self = shared_from_this()](const CommandOutput& piece) { self->take(piece); });
    exchange().on_drained([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->go_on();
    });
    exchange().on_done([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->give_up();
    });
  }

 private:
  Exchange& exchange() { return visit_->exchange(); }

  void take(const CommandOutput& piece) {
    over_ = piece.end;
    if (piece.end && piece.exit_code != 0) return fail(piece);
    if (!std::exchange(begun_, true)) begin();
    exchange().write(piece.out);
    if (piece.end) return exchange().end();
    waits_ = true;
    if (exchange().queued() <= po::Stream::kHighWater) go_on();
  }

  void begin() {
    Response response;
    response.type = "text/plain; charset=utf-8";
    response.fields.emplace_back("Content-Disposition",
                                 fmt::format("attachment; filename=\"post.office-{}.forms\"",
                                             time_text(std::time(nullptr)).substr(0, 10)));
    exchange().begin(std::move(response));
  }

  void fail(const CommandOutput& piece) {
    if (begun_) return exchange().abort(piece.err);
    if (piece.exit_code == 77) return visit_->refuse_user();
    Printed printed;
    printed.add(piece);
    visit_->refuse(503, "Nothing was exported", failure_text(printed));
  }

  void go_on() {
    if (std::exchange(waits_, false) && !over_) visit_->pipes().more_output(serial_);
  }
  void give_up() {
    if (!std::exchange(over_, true)) visit_->pipes().abandon(Role::kAccounts, serial_);
  }

  VisitPtr visit_;
  std::uint32_t serial_ = 0;
  bool begun_ = false, over_ = false;
  bool waits_ = false;  ///< for the client to take what it has
};

void export_forms(const VisitPtr& visit) {
  std::make_shared<Export>(visit)->start();
}

}  // namespace

void add_import_pages(Routes& routes) {
  auto back = [](const VisitPtr& visit) { visit->see_other("/import"); };
  routes.add({.pattern = "/import", .get = import_page, .body = [](const VisitPtr& visit, std::uint64_t) {
                return take_body(visit, false);
              }});
  routes.add({.pattern = "/import/do", .get = back, .body = [](const VisitPtr& visit, std::uint64_t) {
                return take_body(visit, true);
              }});
  routes.add({.pattern = "/export", .get = export_forms});
}

}  // namespace wwwd
