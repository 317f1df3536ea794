package dl4jbridge;

import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.workspace.LayerWorkspaceMgr;
import org.deeplearning4j.optimize.Solver;
import org.nd4j.linalg.api.ndarray.INDArray;

/** A step that is DL4J's own throughout; any layers, any updater. */
final class SolverStep extends LayerwiseStep {
    private final Solver solver;

    SolverStep(MultiLayerNetwork net, StepMonitor monitor, Solver solver) {
        super(net, monitor);
        this.solver = solver;
        // One updater for the solver and for the network, which saves it and replaces it with the learning rate.
        solver.getOptimizer().setUpdater(net.getUpdater());
    }

    @Override
    void optimize(INDArray x) {
        solver.optimize(LayerWorkspaceMgr.noWorkspaces());
    }
}
