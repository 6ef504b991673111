#include "accounts/export_commands.h"

#include <fmt/core.h>

#include "accounts/account_form.h"
#include "accounts/unix_time.h"
#include "lib/form/forms.h"
#include "lib/form/text.h"
#include "lib/text.h"

namespace accounts {
namespace {

constexpr std::size_t kOctetsEach = 1024;  // of an account with its hash, about

/// As Mail-Account-Password takes it: hashes of crypt(3) that do not tell what they are get a word before
/// them.
std::string hash_text(const std::string& stored) {
  return stored.empty() || stored.starts_with("$scrypt$") ? stored : "{crypt}" + stored;
}

class Export {
 public:
  Export(const Office& office, bool passwords) : office_(office), passwords_(passwords) {}

  po::Result<std::string> run() {
    auto count = office_.admin.directory().accounts();
    if (!count) return tl::make_unexpected(count.error());
    text_.reserve(*count * kOctetsEach);
    text_ = fmt::format("# Forms and accounts of {}, {}.\n# 'post.office import' reads them.\n",
                        office_.admin.hostname(), utc_text(unix_seconds()));
    if (!passwords_) text_ += "# Without passwords: what is imported from here keeps those that it has.\n";
    for (const form::Form* f : form::all_forms()) {
      if (form::is_of_account(*f) || f == &form::list_of_accounts()) continue;
      if (auto ok = put_form(*f); !ok) return tl::make_unexpected(ok.error());
    }
    if (auto ok = put_accounts(); !ok) return tl::make_unexpected(ok.error());
    return std::move(text_);
  }

 private:
  po::Result<void> put_form(const form::Form& f) {
    auto shown = show(office_.admin, office_.caller, {&f, 0});
    if (!shown) return tl::make_unexpected(shown.error());
    text_ += '\n' + form::render(f, shown->values, form::RenderOptions{.shown_only = false, .hints = false});
    return {};
  }

  po::Result<void> put_accounts() {
    po::Result<void> result;
    auto ok = office_.admin.directory().for_each([&](const directory::Account& account) {
      result = put_account(account);
      return result.has_value();
    });
    return ok ? result : ok;
  }

  po::Result<void> put_account(const directory::Account& account) {
    form::Values values = account_values(account);
    if (passwords_) {
      auto hash = office_.admin.secrets().password(account.id);
      if (!hash) return tl::make_unexpected(hash.error());
      if (!hash->empty()) values[std::string(kPasswordField)] = {hash_text(*hash)};
    }
    text_ += '\n' + form::render(form::account_data(), values,
                                 form::RenderOptions{.passwords = passwords_, .hints = false});
    return {};
  }

  const Office& office_;
  bool passwords_;
  std::string text_;
};

}  // namespace

CommandResult run_export_command(const Office& office, Words words, std::string_view) {
  bool passwords = take_flag(words, "--passwords");
  if (!words.empty()) return usage(fmt::format("export: there is no '{}'", po::for_display(words[0])));
  if (passwords && !office.caller.administrator)
    return refused("password hashes are shown to root and the administrators' group only");
  auto text = Export(office, passwords).run();
  if (!text) return failed(text.error());
  return {std::move(*text), {}, 0};
}

}  // namespace accounts
