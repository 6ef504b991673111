// Any text as forms: parsing and checking end, and what was accepted survives being printed and read again.
#include <cstdint>
#include <cstdlib>

#include "lib/form/check.h"
#include "lib/form/forms.h"
#include "lib/form/json.h"
#include "lib/form/text.h"

namespace {

form::Values read_back(const form::Form& f, const form::Values& values, const form::CheckContext& context) {
  std::string text = form::render(f, values);
  form::Parser parser(f, text);
  std::vector<form::Problem> problems;
  form::Values back;
  if (auto parsed = parser.next()) back = form::check(f, *parsed, context, problems);
  if (!problems.empty()) std::abort();
  return back;
}

void one_form(const form::Form& f, std::string_view text) {
  form::CheckContext context{.completion_domain = "podunk.edu"};
  form::Parser parser(f, text);
  while (auto parsed = parser.next()) {
    std::vector<form::Problem> problems;
    form::Values values = form::check(f, *parsed, context, problems);
    for (const form::Problem& p : problems)
      if (p.text().find('\n') != std::string::npos) std::abort();
    if (!problems.empty()) continue;
    (void)form::to_json(f, values);
    bool incomplete = values.count("User's-Real-Name") == 0 || values.count("Internet-Addresses") == 0;
    if (&f == &form::account_data() && incomplete) continue;  // empty, they would be refused
    form::Values back = read_back(f, values, context);
    for (const auto& [name, list] : values)
      if (name != "Mail-Account-Password" && back[name] != list) std::abort();
  }
}

/// A file of any forms: cutting it ends, and loses no line number.
void any_forms(std::string_view text) {
  form::Parser parser(text);
  int line = 0;
  while (auto parsed = parser.next()) {
    if (parsed->line <= line) std::abort();
    line = parsed->line;
    if (!parsed->form && parsed->problems.empty()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const form::Form* f : form::all_forms()) one_form(*f, text);
  any_forms(text);
  return 0;
}
