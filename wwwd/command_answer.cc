#include "wwwd/command_answer.h"

#include "lib/text.h"
#include "wwwd/words.h"

namespace wwwd {

static constexpr std::size_t kMostFailure = 1000;

/// "post.office: queue retry: no such thing" becomes "No such thing."
static std::string first_line(std::string_view line, bool usage) {
  constexpr std::string_view kProgram = "post.office: ";
  if (line.starts_with(kProgram)) line.remove_prefix(kProgram.size());
  if (usage) {
    auto colon = line.find(": ");
    if (colon != std::string_view::npos) line.remove_prefix(colon + 2);
  }
  return sentence(shortened(line, kMostFailure));
}

std::string failure_text(const Printed& printed) {
  std::string_view err = printed.err;
  auto end = err.find('\n');
  bool usage = end != std::string_view::npos && err.substr(end + 1).starts_with("usage: ");
  std::string out = first_line(po::trim(err.substr(0, end)), usage);
  if (!out.empty()) return out;
  return printed.exit_code == 77 ? "This is not allowed."
                                 : "It could not be done, and no reason was given. Try again.";
}

Notice failure_notice(std::string_view title, const Printed& printed) {
  Notice notice{Tone::kProblem, std::string(title), {}};
  notice.more.element("p", failure_text(printed));
  return notice;
}

Json json_of(const Printed& printed) {
  if (printed.exit_code != 0 && printed.out.empty()) return {};
  auto json = parse_json(printed.out);
  return json ? std::move(*json) : Json();
}

std::vector<Json> json_lines_of(const Printed& printed) {
  auto lines = parse_json_lines(printed.out);
  return lines ? std::move(*lines) : std::vector<Json>();
}

}  // namespace wwwd
