//! The sites of child lists.

use super::site::{Level, Site};
use super::sites::sites;

sites! {
    ALL_CHILDREN

    // K/core/fxchildlist.cpp
    CHILDREN_NOTHING = Verbose TRACINGPNP "FxChildList::ProcessBusRelations" "Nothing to report on WDFCHILDLIST %p, returning early";
    CHILDREN_MODIFY_BEGIN = Verbose TRACINGPNP "FxChildList::ProcessModificationsLocked" "Begin processing modifications on WDFCHILDLIST %p";
    CHILDREN_MODIFY_END = Verbose TRACINGPNP "FxChildList::ProcessModificationsLocked" "end processing modifications on WDFCHILDLIST %p";
    CHILD_ENTRY = Verbose TRACINGPNP "FxChildList::ProcessModificationsLocked" "entry %p, mod state is %!FxChildListModificationState!";
    CHILD_TO_INSTANTIATE = Verbose TRACINGPNP "FxChildList::ProcessModificationsLocked" "marking entry %p as needing instantiation";
    CHILD_REMOVE = Verbose TRACINGPNP "FxChildList::ProcessModificationsLocked" "processing remove on entry %p, description state is %!FxChildListDescriptionState!";
    CHILD_NEVER_REPORTED = Verbose TRACINGPNP "FxChildList::ProcessModificationsLocked" "entry %p never reported to pnp, mark for deletion";
    CHILD_COMMIT_MISSING = Verbose TRACINGPNP "FxChildList::ProcessModificationsLocked" "committing PDO WDFDEVICE %p, !devobj %p as not present";
    CHILD_CREATING = Verbose TRACINGPNP "FxChildList::ProcessBusRelations" "Creating PDO device object from reported device";
    CHILD_REPORTING = Verbose TRACINGPNP "FxChildList::ProcessBusRelations" "Reporting PDO WDFDEVICE %p !devobj %p";
    CHILD_NOT_PRESENT = Verbose TRACINGPNP "FxChildList::ProcessBusRelations" "PDO WDFDEVICE %p !devobj %p in a not present state, need to report as missing";
    CHILD_CREATED = Information TRACINGPNP "FxChildList::ProcessBusRelations" "PDO created successfully, WDFDEVICE %p !devobj %p";
    CHILD_GONE = Information TRACINGPNP "FxChildList::ProcessBusRelations" "PDO WDFDEVICE %p !devobj %p reported as missing to pnp";
    CHILDREN_REMOVED = Information TRACINGPNP "FxChildList::NotifyDeviceRemove" "WDFCHILDLIST %p:  removing children";
    CHILDREN_NOT_PROCESSED = Verbose TRACINGPNP "FxChildList::ProcessModificationsLocked" "Not processing modifications on WDFCHILDLIST %p (list state %d, scan count %d)";
    CHILD_SCAN_BEGIN = Verbose TRACINGPNP "FxChildList::BeginScan" "Begin scan on WDFCHILDLIST %p, scan count %d";
    CHILD_SCAN_END = Verbose TRACINGPNP "FxChildList::EndScan" "End scan on WDFCHILDLIST %p, scan count %d";
    CHILD_SCAN_MODIFIED = Verbose TRACINGPNP "FxChildList::EndScan" "entry %p modified in last scan, mod state  %!FxChildListModificationState!,desc state %!FxChildListDescriptionState!";
    CHILD_SCAN_MISSING = Verbose TRACINGPNP "FxChildList::EndScan" "marking PDO WDFDEVICE %p, !devobj %p as not present";
    CHILD_SCAN_NEVER_MADE = Verbose TRACINGPNP "FxChildList::EndScan" "marking PDO (entry %p) which needs instantiation as not present";
    CHILD_ITERATION_BEGIN = Verbose TRACINGPNP "FxChildList::BeginIteration" "Begin iteration on WDFCHILDLIST %p, scan count %d";
    CHILD_ITERATION_END = Verbose TRACINGPNP "FxChildList::EndIteration" "end iteration on WDFCHILDLIST";
    CHILD_ITERATION_UNLOCKED = Error TRACINGPNP "FxChildList::GetNextDevice" "WDFCHILDLIST %p cannot retrieve next device if the list is not locked for iteration, %!STATUS!";
    CHILD_NOT_MADE = Error TRACINGPNP "FxChildList::CreateDevice" "EvtChildListCreateDevice returned a successful status %!STATUS! but did not create a device object";
    CHILD_CREATE_FAILED = Error TRACINGPNP "FxChildList::CreateDevice" "WDFDEVICE %p !devobj %p created, but EvtChildListCreateDevice returned status %!STATUS!";
    CHILDREN_PRIOR = Verbose TRACINGPNP "FxChildList::ProcessBusRelations" "WDFCHILDLIST %p prior relations %p contained %d objects";
    CHILDREN_PRIOR_FREED = Verbose TRACINGPNP "FxChildList::ProcessBusRelations" "Freeing prior relations %p";
    CHILD_REMOVING = Information TRACINGPNP "FxChildList::NotifyDeviceRemove" "Removing entry %p, WDFDEVICE %p, PDO %p";

    // K/core/fxchildlistapi.cpp
    CHILD_ADD_ENTER = Verbose TRACINGPNP "imp_WdfChildListAddOrUpdateChildDescriptionAsPresent" "Enter: WDFCHILDLIST %p";
    CHILD_ADD_EXIT = Verbose TRACINGPNP "imp_WdfChildListAddOrUpdateChildDescriptionAsPresent" "Exit: WDFCHILDLIST %p, %!STATUS!";
    CHILD_MISSING_ENTER = Verbose TRACINGPNP "imp_WdfChildListUpdateChildDescriptionAsMissing" "Enter: WDFCHILDLIST %p";
    CHILD_MISSING_EXIT = Verbose TRACINGPNP "imp_WdfChildListUpdateChildDescriptionAsMissing" "Exit: WDFCHILDLIST %p, %!STATUS!";
    CHILD_ADD_NO_ADDRESSES = Error TRACINGPNP "imp_WdfChildListAddOrUpdateChildDescriptionAsPresent" "cannot retrieve an address description from a list which was not initialized to use them, %!STATUS!";
    CHILD_ADD_WITHOUT_ADDRESS = Error TRACINGPNP "imp_WdfChildListAddOrUpdateChildDescriptionAsPresent" "Must provide a valid AddressDescription because the WDFCHILDLIST 0x%p is configured with AddressDescriptionSize, %!STATUS!";
    CHILD_ALL_ENTER = Verbose TRACINGPNP "imp_WdfChildListUpdateAllChildDescriptionsAsPresent" "Enter: WDFCHILDLIST %p";
    CHILD_ALL_EXIT = Verbose TRACINGPNP "imp_WdfChildListUpdateAllChildDescriptionsAsPresent" "Exit: WDFCHILDLIST %p";
    CHILD_PDO_ENTER = Verbose TRACINGPNP "imp_WdfChildListRetrievePdo" "Enter: WDFCHILDLIST %p";
    CHILD_PDO_EXIT = Verbose TRACINGPNP "imp_WdfChildListRetrievePdo" "Exit: WDFCHILDLIST %p, WDFDEVICE Pdo %p, %!WDF_CHILD_LIST_RETRIEVE_DEVICE_STATUS!";
    CHILD_ADDRESS_ENTER = Verbose TRACINGPNP "imp_WdfChildListRetrieveAddressDescription" "Enter: WDFCHILDLIST %p";
    CHILD_NO_ADDRESSES = Error TRACINGPNP "imp_WdfChildListRetrieveAddressDescription" "cannot retrieve an address description from a list which was not initialized to use them, %!STATUS!";
    CHILD_ADDRESS_EXIT = Verbose TRACINGPNP "imp_WdfChildListRetrieveAddressDescription" "Exit: WDFCHILDLIST %p, %!STATUS!";
    CHILD_SCAN_BEGIN_ENTER = Verbose TRACINGPNP "imp_WdfChildListBeginScan" "Enter: WDFCHILDLIST %p";
    CHILD_SCAN_END_ENTER = Verbose TRACINGPNP "imp_WdfChildListEndScan" "Enter: WDFCHILDLIST %p";
    CHILD_ITERATION_BEGIN_ENTER = Verbose TRACINGPNP "imp_WdfChildListBeginIteration" "Enter: WDFCHILDLIST %p";
    CHILD_ITERATION_END_ENTER = Verbose TRACINGPNP "imp_WdfChildListEndIteration" "Enter: WDFCHILDLIST %p";
    CHILD_EJECT_ENTER = Verbose TRACINGPNP "imp_WdfChildListRequestChildEject" "Enter: WDFCHILDLIST %p";
    CHILD_EJECT_FOUND = Verbose TRACINGPNP "imp_WdfChildListRequestChildEject" "found: WDFCHILDLIST %p, WDFDEVICE PDO %p";
    CHILD_EJECT_UNKNOWN = Error TRACINGDEVICE "imp_WdfChildListRequestChildEject" "PDO WDFDEVICE %p not reported yet to pnp, cannot eject!";

    // K/core/fxdevicefdoapi.cpp, fxdevicepdoapi.cpp
    STATIC_NOT_FDO = Error TRACINGDEVICE "imp_WdfFdoAddStaticChild" "WDFDEVICE 0x%p is either legacy or is not a Fdo, %!STATUS!";
    STATIC_NOT_PDO = Error TRACINGDEVICE "imp_WdfFdoAddStaticChild" "WDFDEVICE Child 0x%p is either legacy or is not a PDO, %!STATUS!";
    STATIC_BAD_FLAGS = Error TRACINGDEVICE "imp_WdfFdoRetrieveNextStaticChild" "Invalid Flags 0x%x";
    PDO_EJECT_UNKNOWN = Error TRACINGDEVICE "imp_WdfPdoRequestEject" "PDO WDFDEVICE %p not reported yet to pnp, cannot eject!";
}
