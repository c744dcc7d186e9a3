"""The tables that a Dynamics 365 Sales begins with: those a connector may meet."""

from regportal.sandbox.dynamics.schema import Table, tables_of

ACTIVE = """
  statecode State 0=Active 1=Inactive
  statuscode Status 1=Active 2=Inactive"""
PERSON = """
  firstname String 50
  lastname String 50
  fullname String 160 read-only
  emailaddress1 String 100
  emailaddress2 String 100
  emailaddress3 String 100
  telephone1 String 50
  mobilephone String 50
  jobtitle String 100
  websiteurl String 200
  description Memo 2000
  address1_line1 String 250
  address1_city String 80
  address1_stateorprovince String 50
  address1_postalcode String 20
  address1_country String 80
  donotemail Boolean 0=Allow 1=Do_Not_Allow
  donotbulkemail Boolean 0=Allow 1=Do_Not_Allow
  merged Boolean 0=No 1=Yes read-only"""
SALES = f"""
account accounts name 1
  name String 160
  websiteurl String 200
  emailaddress1 String 100
  telephone1 String 50
  numberofemployees Integer
  industrycode Picklist 1=Accounting 2=Agriculture 6=Business_Services
  primarycontactid Lookup primarycontactid:contact
  masterid Lookup masterid:account read-only
  merged Boolean 0=No 1=Yes read-only{ACTIVE}
contact contacts fullname 2{PERSON}
  parentcustomerid Customer parentcustomerid_account:account parentcustomerid_contact:contact
  masterid Lookup masterid:contact read-only{ACTIVE}
lead leads fullname 4{PERSON}
  subject String 300
  companyname String 100
  masterid Lookup masterid:lead read-only
  statecode State 0=Open 1=Qualified 2=Disqualified
  statuscode Status 1=New 2=Contacted 3=Qualified 4=Lost
opportunity opportunities name 3
  name String 300
  description Memo 2000
  stepname String 200
  salesstage Picklist 0=Qualify 1=Develop 2=Propose 3=Close
  closeprobability Integer
  estimatedvalue Money
  estimatedclosedate DateTime
  actualclosedate DateTime
  transactioncurrencyid Lookup transactioncurrencyid:transactioncurrency
  customerid Customer customerid_account:account customerid_contact:contact
  parentaccountid Lookup parentaccountid:account
  parentcontactid Lookup parentcontactid:contact
  statecode State 0=Open 1=Won 2=Lost
  statuscode Status 1=In_Progress 2=On_Hold 3=Won 4=Canceled 5=Out-Sold
"""
BESIDE = f"""
connection connections name 3234
  name String 500
  description Memo 2000
  ismaster Boolean 0=No 1=Yes read-only
  record1id Lookup record1id_account:account record1id_contact:contact \
    record1id_opportunity:opportunity
  record2id Lookup record2id_account:account record2id_contact:contact \
    record2id_opportunity:opportunity
  record1objecttypecode Integer read-only
  record2objecttypecode Integer read-only
  record1roleid Lookup record1roleid:connectionrole
  record2roleid Lookup record2roleid:connectionrole
  relatedconnectionid Lookup relatedconnectionid:connection read-only{ACTIVE}
connectionrole connectionroles name 3231
  name String 100{ACTIVE}
annotation annotations subject 5
  subject String 500
  notetext Memo 100000
  objectid Lookup objectid_account:account objectid_contact:contact objectid_lead:lead \
    objectid_opportunity:opportunity
task tasks subject 4212 activityid
  subject String 200
  description Memo 2000
  scheduledend DateTime
  actualend DateTime
  prioritycode Picklist 0=Low 1=Normal 2=High
  regardingobjectid Lookup regardingobjectid_account:account regardingobjectid_contact:contact \
    regardingobjectid_opportunity:opportunity
  statecode State 0=Open 1=Completed 2=Canceled
  statuscode Status 2=Not_Started 3=In_Progress 5=Completed 6=Canceled
"""
SYSTEM = """
systemuser systemusers fullname 8
  fullname String 200
  internalemailaddress String 100
  applicationid Uniqueidentifier
  isdisabled Boolean 0=Enabled 1=Disabled
organization organizations name 1019
  name String 160
  languagecode Integer
transactioncurrency transactioncurrencies currencyname 9105
  currencyname String 100
  isocurrencycode String 5
publisher publishers friendlyname 7101
  friendlyname String 256
  uniquename String 256
  customizationprefix String 8
  customizationoptionvalueprefix Integer
solution solutions friendlyname 7100
  friendlyname String 256
  uniquename String 65
  version String 256
  publisherid Lookup publisherid:publisher
"""
JOURNEYS = """
msdynmkt_purpose msdynmkt_purposes msdynmkt_name 10501
  msdynmkt_name String 100
msdynmkt_topic msdynmkt_topics msdynmkt_name 10502
  msdynmkt_name String 100
  msdynmkt_purposeid Lookup msdynmkt_purposeId:msdynmkt_purpose
msdynmkt_contactpointconsent4 msdynmkt_contactpointconsent4s msdynmkt_contactpointvalue 10503
  msdynmkt_contactpointvalue String 500
  msdynmkt_contactpointtype Picklist 534120000=Email 534120001=Text_Message 534120002=Custom
  msdynmkt_contactpointconsenttype Picklist 534120000=Purpose 534120001=Topic
  msdynmkt_value Picklist 534120000=Not_Set 534120001=Opted_In 534120002=Opted_Out
  msdynmkt_source Picklist 534120000=Internal 534120003=Loaded
  msdynmkt_reason String 500
  msdynmkt_purposeid Lookup msdynmkt_purposeId:msdynmkt_purpose
  msdynmkt_topicid Lookup msdynmkt_topicId:msdynmkt_topic
"""


def standard() -> dict[str, Table]:
    """Return the tables of a new environment with Customer Insights - Journeys, by name."""
    tables = tables_of(f"{SALES}{BESIDE}{SYSTEM}{JOURNEYS}")
    return {one.name: one for one in tables}
