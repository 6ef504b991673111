#include "wwwd/form_page.h"

#include <catch2/catch.hpp>

#include "lib/form/forms.h"
#include "office.h"

using form::Values;
using form::Who;
using wwwd_test::has;
using wwwd_test::parameters;
using List = std::vector<std::string>;

TEST_CASE("names of fields and sections as people read them") {
  CHECK(wwwd::field_label("User's-Real-Name") == "User's Real Name");
  CHECK(wwwd::field_label("Log-In-Failures-per-Address") == "Log-in Failures per Address");
  CHECK(wwwd::field_label("POP3-Clear-Text-Log-In") == "POP3 Clear-Text Log-in");
  CHECK(wwwd::section_title("----- LOCAL DELIVERY INFORMATION -----") == "Local delivery information");
  CHECK(wwwd::section_title("----- E-MAIL ADDRESSING INFORMATION -- INTERNET (SMTP Channel) -----") ==
        "E-mail addressing information – Internet (SMTP Channel)");
  CHECK(wwwd::section_title("----- ACCOUNT SECURITY PARAMETERS -- ** Optional ** ------") ==
        "Account security parameters (optional)");
  CHECK(wwwd::section_title("----- SMTP SESSIONS -----") == "SMTP sessions");
  CHECK(wwwd::section_title("") == "");
}

TEST_CASE("every field that may be changed comes back as it was shown") {
  for (const form::Form* form : form::all_forms()) {
    for (const form::Section& section : form->sections) {
      for (const form::Field& field : section.fields) {
        if (field.type == form::Type::kReadOnly || field.type == form::Type::kPassword) continue;
        INFO(form->name << " " << field.name);
        wwwd::Html h;
        wwwd::write_fields(h,
                           {.form = form, .values = {{std::string(field.name), {"va\"lue"}}}, .path = "/x"});
        CHECK(has(h.str(), " name=\"" + wwwd::html_escape(field.name) + "\""));
        if (field.type != form::Type::kYesNo) CHECK(has(h.str(), "va&quot;lue"));
        auto posted =
            wwwd::posted_values(*form, Who::kPostmaster, parameters({{std::string(field.name), "va\"lue"}}));
        CHECK(posted == Values{{std::string(field.name), {"va\"lue"}}});
      }
    }
  }
}

TEST_CASE("what is posted becomes values") {
  const form::Form& f = form::account_data();
  struct Case {
    std::vector<std::pair<std::string, std::string>> posted;
    Values values;
  };
  const Case cases[] = {
      {{{"User's-Real-Name", "  Jane Lee "}}, {{"User's-Real-Name", {"Jane Lee"}}}},
      {{{"User's-Real-Name", ""}}, {{"User's-Real-Name", {}}}},
      {{{"Internet-Addresses", "a@b\r\n\r\n c@d \r\n"}}, {{"Internet-Addresses", {"a@b", "c@d"}}}},
      {{{"Finger-Information", "one\r\n\r\n two\r\n\r\n"}}, {{"Finger-Information", {"one", "", " two"}}}},
      {{{"Mail-Account-Password", ""}, {"Mail-Account-Password", ""}}, {}},
      {{{"Mail-Account-Password", " x y "}, {"Mail-Account-Password", "z"}},
       {{"Mail-Account-Password", {" x y ", "z"}}}},
      {{{"Account-Number", "9"}, {"Nonsense", "1"}, {"seal", "s"}}, {}},
  };
  for (const Case& c : cases)
    CHECK(wwwd::posted_values(f, Who::kPostmaster, parameters(c.posted)) == c.values);
}

TEST_CASE("an owner is shown and sends what the declaration lets him") {
  const form::Form& f = form::account_data();
  wwwd::Html h;
  wwwd::write_fields(
      h, {.form = &f, .who = Who::kOwner, .values = {{"User's-Real-Name", {"Jane"}}}, .path = "/account"});
  CHECK(has(h.str(), "Jane"));
  CHECK_FALSE(has(h.str(), "name=\"User&#39;s-Real-Name\""));
  CHECK(has(h.str(), "name=\"Forwarding-Addresses\""));
  CHECK_FALSE(has(h.str(), "Account Locked"));
  auto posted = wwwd::posted_values(
      f, Who::kOwner,
      parameters({{"User's-Real-Name", "Root"}, {"Account-Locked", "no"}, {"POP3-Delivery", "no"}}));
  CHECK(posted == Values{{"POP3-Delivery", {"no"}}});
}

TEST_CASE("what is wrong stands beside the field with what was typed") {
  const form::Form& f = form::account_data();
  wwwd::FormView view{.form = &f,
                      .values = {{"POP-Login-Name", {"jane"}}},
                      .typed = {{"POP-Login-Name", {"ja ne"}}},
                      .path = "/x"};
  view.problems = {{"POP-Login-Name", "ja ne", "give one word"}, {"", "", "too many accounts"}};
  wwwd::Html h;
  wwwd::write_fields(h, view);
  CHECK(has(h.str(), "value=\"ja ne\""));
  CHECK(has(h.str(), "id=\"e-poploginname\"><p>Give one word.</p>"));
  CHECK(has(h.str(), "aria-describedby=\"e-poploginname"));
  CHECK(has(h.str(), "aria-invalid=\"true\""));
  std::string notice = wwwd::problem_notice(view).more.str();
  CHECK(has(notice, "<a href=\"#f-poploginname\">POP Login Name</a>: Give one word."));
  CHECK(has(notice, "<li>Too many accounts.</li>"));
}

TEST_CASE("passwords are never shown, even typed ones") {
  wwwd::Html h;
  wwwd::write_fields(h, {.form = &form::account_data(),
                         .values = {{"Mail-Account-Password", {"secret1"}}},
                         .typed = {{"Mail-Account-Password", {"secret2"}}},
                         .path = "/x"});
  CHECK_FALSE(has(h.str(), "secret"));
}

TEST_CASE("a list that is too long is a link") {
  List many(2000, "<a@podunk.edu> <b@podunk.edu>");
  wwwd::Html h;
  wwwd::write_fields(
      h,
      {.form = &form::channel_aliases(), .values = {{"Aliases", many}}, .path = "/settings/channel-aliases"});
  CHECK(h.size() < 2000);
  CHECK(has(h.str(), "href=\"/settings/channel-aliases/list/Aliases\">2000 entries"));
  CHECK_FALSE(has(h.str(), "<textarea"));
}

TEST_CASE("two people's changes are put together, or shown beside each other") {
  using Line = po::messages::WebRevision::Line;
  const form::Form& f = form::account_data();
  po::messages::WebRevision newer, older;
  newer.lines = {Line{"POP3-Delivery", {"yes"}, {"no"}}, Line{"POP-Login-Name", {"j2"}, {"j3"}}};
  older.lines = {Line{"POP-Login-Name", {"j1"}, {"j2"}}, Line{"Forwarding-Addresses", {}, {"a@b"}}};
  Values now = {{"POP3-Delivery", {"no"}}, {"POP-Login-Name", {"j3"}}, {"Forwarding-Addresses", {"a@b"}}};
  // left alone: takes the new value
  auto left =
      wwwd::merge_typed(f, {{"POP3-Delivery", {"yes"}}, {"POP-Login-Name", {"j1"}}}, now, {newer, older});
  CHECK(left.typed == Values{{"POP3-Delivery", {"no"}}, {"POP-Login-Name", {"j3"}}});
  CHECK(left.others.empty());
  // both changed it: typed stays, the other's is told
  auto both = wwwd::merge_typed(f, {{"POP-Login-Name", {"mine"}}, {"Forwarding-Addresses", {"c@d"}}}, now,
                                {newer, older});
  CHECK(both.typed == Values{{"POP-Login-Name", {"mine"}}, {"Forwarding-Addresses", {"c@d"}}});
  CHECK(both.others == Values{{"POP-Login-Name", {"j3"}}, {"Forwarding-Addresses", {"a@b"}}});
  // both changed it to the same
  auto same = wwwd::merge_typed(f, {{"POP-Login-Name", {"j3"}}}, now, {newer, older});
  CHECK(same.others.empty());
}
